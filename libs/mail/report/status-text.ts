const MAX_VALUE_LENGTH = 2000;

/** Text for a header or status field: one line, no control characters, bounded; outside ASCII only where `unicode` says. */
export function oneLine(text: string, unicode: boolean): string {
  const line = text
    .slice(0, MAX_VALUE_LENGTH)
    .replace(/[\p{Cc}\s]+/gu, ' ')
    // Marks that turn the direction of writing around could show one address as another.
    .replace(/[\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '')
    .trim()
    .toWellFormed();
  return unicode ? line : line.replace(/[^\x20-\x7e]/gu, '?');
}

/** RFC 5322 §3.3 in UTC. */
export function rfc5322Date(ms: number): string {
  return new Date(ms).toUTCString().replace('GMT', '+0000');
}

export function isAscii(text: string): boolean {
  return /^[\x00-\x7f]*$/.test(text);
}

/** Folds a field at white space into lines of about 76; a word longer than that is cut, at 900, where the line limit would break it. */
export function fold(field: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of field.split(' ').flatMap((long) => long.match(/.{1,450}/gsu) ?? [])) {
    if (line !== '' && line.length + 1 + word.length > 76) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].join('\r\n ');
}

/**
 * An address with its type for a status field: `rfc822; a@b`, or by RFC 6533 §3 `utf-8; …`, written in UTF-8 where that may stand, else with
 * each character outside ASCII as `\x{FC}`.
 */
export function typedAddress(address: string, isGlobal: boolean): string {
  const line = oneLine(address, true);
  if (isAscii(line)) return `rfc822; ${line}`;
  const special = isGlobal ? /[\\\s]/gu : /[^\x21-\x7e]|[\\+=]/gu;
  return `utf-8; ${line.replace(special, (character) => `\\x{${(character.codePointAt(0) ?? 0).toString(16).toUpperCase()}}`)}`;
}
