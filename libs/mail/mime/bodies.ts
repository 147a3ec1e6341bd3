import { asBuffer, decodeCharset } from './charset.ts';
import { stripHtml } from './html-text.ts';
import { MAX_PREVIEW_LENGTH } from './limits.ts';
import type { Part } from './structure.ts';
import { leaves } from './structure.ts';
import { decodeTransfer } from './transfer-encoding.ts';

/**
 * Which leaves are what a reader sees, after RFC 8621 §4.1.4: `text` are the parts to read as text, in order (HTML where an alternative has no
 * plain text), `html` the HTML ones; every other leaf is an attachment.
 */
export type Bodies = { text: Part[]; html: Part[]; attachments: Part[] };

export function chooseBodies(root: Part): Bodies {
  const bodies: Bodies = { text: [], html: [], attachments: [] };
  collect(root, bodies, true);
  const shown = new Set([...bodies.text, ...bodies.html]);
  for (const leaf of leaves(root)) if (!shown.has(leaf)) bodies.attachments.push(leaf);
  return bodies;
}

/** Whether a reader is shown the part inside the message instead of in the list of attachments. */
export function isInline(part: Part): boolean {
  return (
    part.disposition === 'inline' ||
    (part.disposition === undefined && part.cid !== undefined && part.type.startsWith('image/'))
  );
}

/** Depth is bounded by MAX_DEPTH. */
function collect(part: Part, bodies: Bodies, first: boolean): void {
  if (part.children.length === 0) {
    if (!isBody(part, first)) return;
    bodies.text.push(part);
    if (part.type === 'text/html') bodies.html.push(part);
  } else if (part.type === 'multipart/alternative') {
    collectAlternative(part, bodies);
  } else {
    const related = part.type === 'multipart/related';
    for (const [position, child] of part.children.entries())
      if (!related || position === 0) collect(child, bodies, position === 0);
  }
}

/** RFC 2046 §5.1.4: the last one that can be shown is the best; as text, the plain one is. */
function collectAlternative(part: Part, bodies: Bodies): void {
  const choices = part.children.map((child) => {
    const choice: Bodies = { text: [], html: [], attachments: [] };
    collect(child, choice, true);
    return choice;
  });
  const plain =
    choices.find((choice) => choice.text.some((leaf) => leaf.type === 'text/plain')) ??
    choices.find((choice) => choice.text.length > 0);
  const html = choices.findLast((choice) => choice.html.length > 0);
  if (plain) bodies.text.push(...plain.text);
  if (html) bodies.html.push(...html.html);
}

/** A text with a file name is something sent along, unless it is all there is. */
function isBody(part: Part, first: boolean): boolean {
  if (part.type !== 'text/plain' && part.type !== 'text/html') return false;
  return part.disposition !== 'attachment' && (part.name === undefined || (first && part.disposition === undefined));
}

/** The part's text with at most about `maxBytes` of it decoded; `cut` when there is more. */
export function decodeTextPart(raw: Buffer, part: Part, maxBytes: number): { text: string; cut: boolean } {
  const available = part.end - part.start;
  const wanted = Math.min(available, encodedBytesFor(part.encoding, maxBytes));
  const decoded = decodeTransfer(raw.subarray(part.start, part.start + wanted), part.encoding);
  const bytes = asBuffer(decoded.length > maxBytes ? decoded.subarray(0, maxBytes) : decoded);
  const charset = part.charset ?? (part.type === 'text/html' ? declaredCharset(bytes) : undefined);
  const cut = wanted < available || bytes.length < decoded.length;
  return { text: decodeCharset(cut ? withoutHalfCharacter(bytes) : bytes, charset), cut };
}

/** Roughly: base64 with its line ends; quoted-printable may need three bytes for one. */
function encodedBytesFor(encoding: string, decodedBytes: number): number {
  if (encoding === 'base64') return Math.ceil(decodedBytes * 1.4) + 4;
  return encoding === 'quoted-printable' ? decodedBytes * 3 : decodedBytes;
}

/** A cut inside a UTF-8 sequence would make the rest look like another charset. */
function withoutHalfCharacter(bytes: Buffer): Buffer {
  let end = bytes.length;
  while (end > 0 && bytes.length - end < 4 && ((bytes[end - 1] ?? 0) & 0xc0) === 0x80) end--;
  return end > 0 && (bytes[end - 1] ?? 0) >= 0xc0 ? bytes.subarray(0, end - 1) : bytes;
}

/** HTML without a charset in its Content-Type often says it in a meta element. */
function declaredCharset(bytes: Buffer): string | undefined {
  return /<meta[^>]{0,200}charset\s{0,5}=\s{0,5}["']?([\w.:-]{1,40})/i.exec(bytes.toString('latin1', 0, 1024))?.[1];
}

/** The first words, on one line, without the invisible filling that newsletters put there. */
export function previewOf(text: string): string {
  let from = 0;
  let preview = '';
  while (from < text.length && preview.length < MAX_PREVIEW_LENGTH && from < PREVIEW_SEARCH_LENGTH) {
    const piece = text.slice(from, from + PREVIEW_PIECE_LENGTH);
    from += PREVIEW_PIECE_LENGTH;
    preview = (preview + piece.replace(INVISIBLE, '')).replace(BLANKS, ' ').trimStart();
  }
  return preview.slice(0, MAX_PREVIEW_LENGTH).trimEnd().toWellFormed();
}

const PREVIEW_SEARCH_LENGTH = 16 * 1024;
const PREVIEW_PIECE_LENGTH = 320;
const INVISIBLE = /[\u00ad\u034f\u061c\u115f\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;
const BLANKS = /[\s\p{Cc}]+/gu;

/** Text of a body part for previews and search. */
export function plainText(raw: Buffer, part: Part, maxBytes: number): string {
  const { text } = decodeTextPart(raw, part, maxBytes);
  return part.type === 'text/html' ? stripHtml(text) : text;
}
