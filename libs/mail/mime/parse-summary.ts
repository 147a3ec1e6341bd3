import { chooseBodies, isInline, plainText, previewOf } from './bodies.ts';
import { asBuffer } from './charset.ts';
import { readHeaderBlock } from './header-block.ts';
import { MAX_SEARCH_TEXT_LENGTH, MAX_SUMMARY_ADDRESSES } from './limits.ts';
import { type MessageFields, readMessageFields } from './message-fields.ts';
import { type Part, readStructure } from './structure.ts';

/** What is kept of a message beside its bytes when it is delivered. */
export type Summary = MessageFields & {
  preview: string;
  hasAttachment: boolean;
  /** a limit was hit or it is no mail: what could be read is here, the rest only in the raw message */
  unparsable: boolean;
  /** Text of the bodies and names of the attachments, to be searched with the fields above; '' when it wasn't asked for. */
  searchText: string;
};

export type SummaryOptions = {
  /** Leave out `searchText`, and with it the decoding of all but the first words. */
  searchText?: boolean;
};

/** Enough to fill a preview also when a letter begins with a long style sheet. */
const PREVIEW_BYTES = 8 * 1024;

/** Reads what a mailbox lists, from a raw message. Never throws; the cost is linear in the message, with all limits of limits.ts. */
export function parseSummary(raw: Uint8Array, options: SummaryOptions = {}): Summary {
  const buffer = asBuffer(raw);
  const header = readHeaderBlock(buffer, 0);
  const fields = readMessageFields(header.fields, MAX_SUMMARY_ADDRESSES);
  const { root, broken } = readStructure(buffer, header.fields, header.bodyStart);
  const { text, attachments } = chooseBodies(root);
  const wantsSearchText = options.searchText ?? true;
  const body = bodyText(buffer, text, wantsSearchText ? MAX_SEARCH_TEXT_LENGTH : PREVIEW_BYTES);
  return {
    ...fields,
    preview: previewOf(body),
    hasAttachment: attachments.some((part) => !isInline(part)),
    unparsable: header.broken || broken,
    searchText: wantsSearchText ? withNames(body, attachments) : '',
  };
}

function bodyText(raw: Buffer, parts: readonly Part[], maxLength: number): string {
  let text = '';
  for (const part of parts) {
    const room = maxLength - text.length;
    if (room <= 0) break;
    const piece = plainText(raw, part, room);
    text = text === '' ? piece : `${text}\n${piece}`;
  }
  return text.length > maxLength ? text.slice(0, maxLength) : text;
}

function withNames(text: string, attachments: readonly Part[]): string {
  const names = attachments.flatMap((part) => part.name ?? []);
  return names.length === 0 ? text : `${text}\n${names.join('\n')}`;
}
