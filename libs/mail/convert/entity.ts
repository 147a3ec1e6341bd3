import { fieldValue, readHeaderBlock } from '../mime/header-block.ts';
import { parseParameterized } from '../mime/parameters.ts';

/** A MIME entity (RFC 2045 §2.4) as two ranges of bytes, and what of its header decides how to encode it. */
export interface Entity {
  /** Header fields with their line ends, without the empty line after them. */
  fields: Buffer;
  body: Buffer;
  /** Media type in lower case; '' when none can be read. */
  type: string;
  boundary: string | undefined;
  /** Content-Transfer-Encoding in lower case. */
  encoding: string;
  hasEncoding: boolean;
  hasContentType: boolean;
  hasMimeVersion: boolean;
}

/** `part`: within a multipart. `fallbackType`: where there is no Content-Type. */
export function readEntity(bytes: Buffer, part: boolean, fallbackType = ''): Entity {
  const { fields, bodyStart } = readHeaderBlock(bytes, 0, part);
  const contentType = fieldValue(fields, 'content-type');
  const parsed = parseParameterized(contentType ?? '');
  const boundary = parsed.parameters.get('boundary');
  return {
    fields: wholeLines(bytes.subarray(0, bodyStart)),
    body: bytes.subarray(bodyStart),
    type: contentType === undefined ? fallbackType : mediaType(parsed.value),
    boundary:
      boundary === undefined || boundary === '' ? undefined : Buffer.from(boundary).toString('latin1').trimEnd(),
    encoding: (fieldValue(fields, 'content-transfer-encoding') ?? '7bit').replace(/[;(\s].*$/s, '').toLowerCase(),
    hasEncoding: fieldValue(fields, 'content-transfer-encoding') !== undefined,
    hasContentType: contentType !== undefined,
    hasMimeVersion: fieldValue(fields, 'mime-version') !== undefined,
  };
}

/** The entity again, with another body and transfer encoding; `added` are fields, each with its CRLF. */
export function writeEntity(entity: Entity, encoding: string, body: readonly Buffer[], added = ''): Buffer[] {
  if (entity.hasEncoding)
    return [withEncoding(entity.fields, encoding), Buffer.from(`${added}\r\n`, 'latin1'), ...body];
  const field = encoding === '7bit' ? '' : `Content-Transfer-Encoding: ${encoding}\r\n`;
  return [entity.fields, Buffer.from(`${added}${field}\r\n`, 'latin1'), ...body];
}

/** The first Content-Transfer-Encoding says `encoding` then, others go. */
function withEncoding(fields: Buffer, encoding: string): Buffer {
  let found = false;
  const changed = fields.toString('latin1').replace(ENCODING_FIELD, () => {
    if (found) return '';
    found = true;
    return `Content-Transfer-Encoding: ${encoding}\r\n`;
  });
  return Buffer.from(changed, 'latin1');
}

const ENCODING_FIELD = /^content-transfer-encoding[ \t]{0,16}:[^\n]*\n(?:[ \t][^\n]*\n)*/gim;

/** The fields alone; the last of a part that has nothing else may lack its CRLF. */
function wholeLines(header: Buffer): Buffer {
  if (header.length === 0 || header.equals(CRLF)) return none;
  if (!header.subarray(-2).equals(CRLF)) return Buffer.concat([header, CRLF]);
  return header.subarray(-4).equals(CRLF_CRLF) ? header.subarray(0, -2) : header;
}

function mediaType(value: string): string {
  return /^[^\s/]+\/[^\s/]+$/.test(value) ? value : '';
}

const none = Buffer.alloc(0);
const CRLF = Buffer.from('\r\n');
const CRLF_CRLF = Buffer.from('\r\n\r\n');
