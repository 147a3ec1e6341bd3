import { createRequire } from 'node:module';
import { MAX_LAID_OUT_HTML_LENGTH } from './limits.ts';

const require = createRequire(import.meta.url);

/** HTML as text to read: paragraphs, lists, tables and links laid out. Slow (about 1 ms for 4 KiB): for one message that is shown. */
export function layOutHtml(html: string): string {
  if (html.length > MAX_LAID_OUT_HTML_LENGTH) return stripHtml(html);
  const { convert }: typeof import('html-to-text') = require('html-to-text');
  try {
    return convert(html, {
      wordwrap: false,
      limits: { maxDepth: 64, maxChildNodes: 20_000, maxBaseElements: 16 },
      selectors: [
        { selector: 'img', format: 'skip' },
        { selector: 'a', options: { hideLinkHrefIfSameAsText: true, ignoreHref: false } },
      ],
    });
  } catch {
    return stripHtml(html); // it recurses; HTML made to exhaust the stack is still readable without its tags
  }
}

/** HTML without its tags, scripts, styles and comments, common entities decoded. One pass, for previews and search. */
export function stripHtml(html: string, maxLength = Number.POSITIVE_INFINITY): string {
  let text = '';
  let at = 0;
  while (at < html.length && text.length < maxLength) {
    const open = html.indexOf('<', at);
    if (open === -1) {
      text += html.slice(at);
      break;
    }
    text += html.slice(at, open);
    if (!/[a-zA-Z/!?]/.test(html.charAt(open + 1))) {
      text += '<';
      at = open + 1;
      continue;
    }
    const end = endOfMarkup(html, open);
    if (end === -1) break;
    text += replacementOf(html, open);
    at = end;
  }
  return decodeEntities(text.length > maxLength ? text.slice(0, maxLength) : text);
}

const HIDDEN_ELEMENT = /<(script|style|title|template|noscript)\b/iy;
const CLOSING: Record<string, RegExp> = {
  script: /<\/script\b/gi,
  style: /<\/style\b/gi,
  title: /<\/title\b/gi,
  template: /<\/template\b/gi,
  noscript: /<\/noscript\b/gi,
};

/** The offset after the tag, comment or hidden element at `open`; -1 when it never ends. */
function endOfMarkup(html: string, open: number): number {
  if (html.startsWith('<!--', open)) {
    const end = html.indexOf('-->', open + 4);
    return end === -1 ? -1 : end + 3;
  }
  HIDDEN_ELEMENT.lastIndex = open;
  const closing = CLOSING[HIDDEN_ELEMENT.exec(html)?.[1]?.toLowerCase() ?? ''];
  if (closing) {
    closing.lastIndex = open;
    if (!closing.test(html)) return -1;
  }
  const end = html.indexOf('>', closing ? closing.lastIndex : open);
  return end === -1 ? -1 : end + 1;
}

/** Tags that stand inside a word or a line of text. */
const WITHIN_LINE = /<\/?(?:a|b|i|u|s|em|strong|span|font|small|big|sub|sup|code|tt|mark|abbr|wbr|o:p|img)\b/iy;
const CELL = /<\/?(?:td|th)\b/iy;

function replacementOf(html: string, open: number): string {
  WITHIN_LINE.lastIndex = open;
  if (WITHIN_LINE.test(html) || html.startsWith('<!', open)) return '';
  CELL.lastIndex = open;
  return CELL.test(html) ? ' ' : '\n';
}

const ENTITY = /&(?:#(\d{1,7})|#[xX]([0-9a-fA-F]{1,6})|([a-zA-Z]{2,8}));?/g;
const NAMED: Record<string, string> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: ' ',
  copy: '\u00a9',
  reg: '\u00ae',
  trade: '\u2122',
  euro: '\u20ac',
  hellip: '\u2026',
  ndash: '\u2013',
  mdash: '\u2014',
  lsquo: '\u2018',
  rsquo: '\u2019',
  ldquo: '\u201c',
  rdquo: '\u201d',
  laquo: '\u00ab',
  raquo: '\u00bb',
  bull: '\u2022',
  middot: '\u00b7',
  times: '\u00d7',
  deg: '\u00b0',
  sect: '\u00a7',
  pound: '\u00a3',
  szlig: '\u00df',
  zwnj: '',
  zwj: '',
  shy: '',
};
/** &auml; &eacute; &ntilde; and their kin are a letter and a combining mark. */
const MARKS: Record<string, string> = {
  uml: '\u0308',
  acute: '\u0301',
  grave: '\u0300',
  circ: '\u0302',
  tilde: '\u0303',
  ring: '\u030a',
  cedil: '\u0327',
};

function decodeEntities(text: string): string {
  return text.includes('&') ? text.replace(ENTITY, decodeEntity) : text;
}

function decodeEntity(whole: string, decimal?: string, hex?: string, name?: string): string {
  if (name !== undefined) {
    const mark = MARKS[name.slice(1)];
    return NAMED[name] ?? (mark === undefined ? whole : (name.charAt(0) + mark).normalize('NFC'));
  }
  const code = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal);
  const isCharacter = code >= 0x20 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  return isCharacter ? String.fromCodePoint(code) : ' ';
}
