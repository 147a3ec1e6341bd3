import type { Notify } from '../delivery/row.ts';

/** ENVID of MAIL (RFC 3461 §4.4) with its xtext decoded; undefined when it has another form. */
export function readEnvid(value: string | true): string | undefined {
  const text = value === true || value.length > 100 ? undefined : decodeXtext(value);
  return text !== undefined && /^[ -~]+$/.test(text) ? text : undefined;
}

/** RET of MAIL (RFC 3461 §4.3). */
export function readRet(value: string | true): 'FULL' | 'HDRS' | undefined {
  const word = value === true ? '' : value.toUpperCase();
  return word === 'FULL' || word === 'HDRS' ? word : undefined;
}

/** NOTIFY of RCPT (RFC 3461 §4.1): NEVER stands alone. */
export function readNotify(value: string | true): Notify | undefined {
  const words = value === true ? [] : value.toUpperCase().split(',');
  if (words.length === 1 && words[0] === 'NEVER') return 'NEVER';
  const wishes = notifyWords.filter((wish) => words.includes(wish));
  return wishes.length > 0 && wishes.length === words.length ? wishes : undefined;
}

const notifyWords = ['SUCCESS', 'FAILURE', 'DELAY'] as const;

/** ORCPT of RCPT (RFC 3461 §4.2), `addr-type;addr` with its xtext (of `utf-8` that of RFC 6533 §3) decoded. */
export function readOrcpt(value: string | true): string | undefined {
  if (value === true || value.length > 500) return undefined;
  const [, type, encoded] = /^([A-Za-z0-9-]{1,40});(.+)$/s.exec(value) ?? [];
  if (type === undefined || encoded === undefined) return undefined;
  const address = type.toLowerCase() === 'utf-8' ? decodeUnicode(encoded) : decodeXtext(encoded);
  return address === undefined || /[\p{Cc}\p{Zl}\p{Zp}]/u.test(address) || !address.isWellFormed()
    ? undefined
    : `${type.toLowerCase()};${address}`;
}

/** RFC 3461 §4; octets that make no UTF-8 are no text. */
function decodeXtext(text: string): string | undefined {
  if (!/^(?:[!-*,-<>-~]|\+[0-9A-F]{2})*$/.test(text)) return undefined;
  const octets = text.replace(/\+([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  try {
    return strictUtf8.decode(Buffer.from(octets, 'latin1'));
  } catch {
    return undefined;
  }
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** utf-8-addr-xtext and utf-8-addr-unitext. */
function decodeUnicode(text: string): string | undefined {
  if (!/^(?:[!-*,-<>-[\]-~\u0080-\u{10ffff}]|\\x\{[0-9A-F]{2,6}\})*$/u.test(text)) return undefined;
  const codes = [...text.matchAll(/\\x\{([0-9A-F]+)\}/g)].map(([, hex = '']) => Number.parseInt(hex, 16));
  if (codes.some((code) => code > 0x10ffff)) return undefined;
  return text.replace(/\\x\{([0-9A-F]+)\}/g, (_, hex: string) => String.fromCodePoint(Number.parseInt(hex, 16)));
}
