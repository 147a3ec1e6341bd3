/**
 * Header fields with no line over 998 octets (RFC 5322 §2.1.1): longer ones are folded before a blank (§2.2.3), which changes nothing of what they say. Undefined
 * where there is none to fold at, or a line doesn't end in CRLF.
 */
export function foldLongLines(fields: Buffer): Buffer | undefined {
  const text = fields.toString('latin1');
  if (/(?:^|[^\r])\n|\r(?!\n)/.test(text)) return undefined;
  if (!/[^\n]{999}/.test(text)) return fields;
  const lines: string[] = [];
  for (const line of text.split('\r\n')) {
    let rest = line;
    while (rest.length > maxLineLength) {
      const at = foldingPoint(rest);
      if (at === -1) return undefined;
      lines.push(rest.slice(0, at));
      rest = rest.slice(at);
    }
    lines.push(rest);
  }
  return Buffer.from(lines.join('\r\n'), 'latin1');
}

const maxLineLength = 998;

/** The last blank that leaves the line short enough and doesn't leave it blank (RFC 5322 §3.2.2: such lines are obsolete). */
function foldingPoint(line: string): number {
  const at = Math.max(line.lastIndexOf(' ', maxLineLength), line.lastIndexOf('\t', maxLineLength));
  return at > 0 && line.slice(0, at).trim() !== '' && line.slice(at).trim() !== '' ? at : -1;
}
