import { chooseBodies, decodeTextPart, isInline, previewOf } from './bodies.ts';
import { asBuffer, decodeHeaderBytes } from './charset.ts';
import { readHeaderBlock } from './header-block.ts';
import { layOutHtml } from './html-text.ts';
import { MAX_BODY_BYTES } from './limits.ts';
import { type MessageFields, readMessageFields } from './message-fields.ts';
import { type Part, readStructure } from './structure.ts';
import { decodedBytes } from './transfer-encoding.ts';

/** A part that is offered as a file. `start` and `end` are byte offsets of its encoded body in the raw message. */
export type Attachment = {
  /** from 0, in the order of the message */
  n: number;
  name?: string;
  type: string;
  /** bytes after decoding */
  size: number;
  /** Content-ID without angle brackets */
  cid?: string;
  /** shown inside the message */
  inline: boolean;
  start: number;
  end: number;
  encoding: string;
};

export type ParsedMessage = MessageFields & {
  /** in their order, values unfolded and as they were written (encoded words are not decoded) */
  headers: { name: string; value: string }[];
  /** plain text to read; made from the HTML where there is no other */
  text: string;
  /** not cleaned: whoever shows it must */
  html: string | undefined;
  /** `text` or `html` is longer than MAX_BODY_BYTES and was cut */
  bodyTruncated: boolean;
  preview: string;
  attachments: Attachment[];
  hasAttachment: boolean;
  /** a limit was hit or it is no mail: what could be read is here, the rest only in the raw message */
  unparsable: boolean;
};

export type ParseOptions = {
  /** Decoded bytes of text, and again of HTML; default MAX_BODY_BYTES. */
  maxBodyBytes?: number;
};

/** Reads a whole message. Never throws; linear in its size, with all limits of limits.ts. Slow for large ones: off the event loop. */
export function parseMessage(raw: Uint8Array, options: ParseOptions = {}): ParsedMessage {
  const buffer = asBuffer(raw);
  const header = readHeaderBlock(buffer, 0);
  const { root, broken } = readStructure(buffer, header.fields, header.bodyStart);
  const bodies = chooseBodies(root);
  const maxBytes = options.maxBodyBytes ?? MAX_BODY_BYTES;
  const text = joinParts(buffer, bodies.text, maxBytes, layOutPart, '\n');
  const html = joinParts(buffer, bodies.html, maxBytes, (_part, decoded) => decoded, '\n<hr>\n');
  const attachments = bodies.attachments.map((part, n) => describe(buffer, part, n));
  return {
    headers: header.fields.map(({ name, value }) => ({ name, value: decodeHeaderBytes(value) })),
    ...readMessageFields(header.fields),
    text: text.text,
    html: bodies.html.length === 0 ? undefined : html.text,
    bodyTruncated: text.cut || html.cut,
    preview: previewOf(text.text),
    attachments,
    hasAttachment: attachments.some((attachment) => !attachment.inline),
    unparsable: header.broken || broken,
  };
}

type Convert = (part: Part, decoded: string) => string;

function joinParts(
  raw: Buffer,
  parts: readonly Part[],
  maxBytes: number,
  convert: Convert,
  separator: string,
): { text: string; cut: boolean } {
  let text = '';
  let cut = false;
  let room = maxBytes;
  for (const [position, part] of parts.entries()) {
    if (room <= 0) return { text, cut: true };
    const decoded = decodeTextPart(raw, part, room);
    room -= Buffer.byteLength(decoded.text);
    cut ||= decoded.cut;
    text += (position === 0 ? '' : separator) + convert(part, decoded.text);
  }
  return { text, cut };
}

function layOutPart(part: Part, decoded: string): string {
  return part.type === 'text/html' ? layOutHtml(decoded) : decoded;
}

function describe(raw: Buffer, part: Part, n: number): Attachment {
  return {
    n,
    ...(part.name === undefined ? {} : { name: part.name }),
    type: part.type,
    size: decodedBytes(raw.subarray(part.start, part.end), part.encoding),
    ...(part.cid === undefined ? {} : { cid: part.cid }),
    inline: isInline(part),
    start: part.start,
    end: part.end,
    encoding: part.encoding,
  };
}
