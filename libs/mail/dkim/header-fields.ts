/** A header field as it is on the wire, one character for each byte (latin1), without its last CRLF. */
export interface RawField {
  /** As written, without white space at its end. */
  name: string;
  /** Name in lower case. */
  key: string;
  /** Name, colon and value; folded as it came. */
  text: string;
}

/**
 * The fields of a header section (RFC 5322 §2.2; `text` without the empty line), top first. Undefined where a line is none: a signature over it would mean
 * different things to different verifiers.
 */
export function rawFields(text: string): readonly RawField[] | undefined {
  const fields: RawField[] = [];
  let at = 0;
  while (at < text.length) {
    const end = endOfField(text, at);
    FIELD_NAME.lastIndex = at;
    const found = FIELD_NAME.exec(text);
    if (found === null) return undefined;
    const name = found[1] ?? '';
    fields.push({ name, key: name.toLowerCase(), text: text.slice(at, end) });
    at = end + CRLF.length;
  }
  return fields;
}

/** RFC 6376 §3.4.2, without the CRLF at its end. */
export function relaxedField({ key, text }: Pick<RawField, 'key' | 'text'>): string {
  const value = text
    .slice(text.indexOf(':') + 1)
    .replaceAll(/\r\n(?=[ \t])/g, '')
    .replaceAll(/[ \t]+/g, ' ');
  // Not trim(): the octet A0 of some UTF-8 character is white space to it.
  return `${key}:${value.slice(value.startsWith(' ') ? 1 : 0, value.endsWith(' ') ? -1 : undefined)}`;
}

const CRLF = '\r\n';
/** RFC 5322 §2.2: printable ASCII without the colon. White space before the colon is of §4.5 and goes. */
const FIELD_NAME = /([!-9;-~]{1,512})[ \t]*:/y;

function endOfField(text: string, start: number): number {
  let at = start;
  for (;;) {
    const end = text.indexOf(CRLF, at);
    if (end === -1) return text.length;
    const next = text.charCodeAt(end + CRLF.length);
    if (next !== 0x20 && next !== 0x09) return end;
    at = end + CRLF.length;
  }
}
