/** The argument of MAIL or RCPT: the path without its angle brackets and source route, and the ESMTP parameters, keywords in upper case. */
export interface PathCommand {
  path: string;
  params: ReadonlyMap<string, string | true>;
}

/**
 * Reads `MAIL FROM:<path> params` or `RCPT TO:<path> params` (RFC 5321 §4.1.1.2, §4.1.1.3). Whether the path is an address is for `parseAddress` to say.
 * Undefined when the line has another form; a parameter given twice is such a form.
 */
export function parsePathCommand(verb: 'MAIL FROM' | 'RCPT TO', line: string): PathCommand | undefined {
  const colon = line.indexOf(':');
  if (colon === -1 || line.slice(0, colon).trim().toUpperCase().replace(/ +/, ' ') !== verb) return undefined;
  // The grammar has no space after the colon; enough clients write one.
  const rest = line.slice(colon + 1).trimStart();
  const end = endOfPath(rest);
  if (end === -1) return undefined;
  const after = rest.slice(end + 1);
  if (after !== '' && !after.startsWith(' ')) return undefined;
  const params = readParams(after);
  return params && { path: withoutRoute(rest.slice(1, end)), params };
}

/** Position of the '>' that ends the path; one inside a quoted local part doesn't. */
function endOfPath(text: string): number {
  if (!text.startsWith('<')) return -1;
  let quoted = false;
  for (let at = 1; at < text.length; at++) {
    const char = text.charAt(at);
    if (quoted && char === '\\') at++;
    else if (char === '"') quoted = !quoted;
    else if (char === '>' && !quoted) return at;
  }
  return -1;
}

/** RFC 5321 §4.1.1.3, appendix C: a source route must be accepted and should be ignored. */
function withoutRoute(path: string): string {
  return path.startsWith('@') ? path.replace(/^@[^\s,:@]+(?:,@[^\s,:@]+)*:/, '') : path;
}

/** esmtp-param of RFC 5321 §4.1.2; RFC 6531 §3.3 lets values hold UTF-8. */
const PARAM = /^([A-Za-z0-9][A-Za-z0-9-]*)(?:=([!-<>-~\u0080-\u{10ffff}]+))?$/u;

function readParams(text: string): Map<string, string | true> | undefined {
  const params = new Map<string, string | true>();
  if (text === '') return params;
  for (const word of text.split(' ')) {
    if (word === '') continue;
    const match = PARAM.exec(word);
    const keyword = match?.[1]?.toUpperCase();
    if (keyword === undefined || params.has(keyword)) return undefined;
    params.set(keyword, match?.[2] ?? true);
  }
  return params;
}
