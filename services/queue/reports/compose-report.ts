import { createHash } from 'node:crypto';
import { Ranks } from '../../../libs/accept/ranks.ts';
import { priorities } from '../../../libs/accept/priorities.ts';
import { buildTargets, type ResolvedRecipient } from '../../../libs/accept/targets.ts';
import { type Blobs, inlineLimitBytes } from '../../../libs/blobs/port.ts';
import { type ScheduleConfig, scheduleFor } from '../../../libs/delivery/schedules.ts';
import { buildDsn, MAX_HEADER_BYTES, MAX_RETURNED_BYTES } from '../../../libs/mail/report/build-dsn.ts';
import { NotFound } from '../../../libs/store/errors.ts';
import type { AcceptedMessage, Body, SpooledMessage } from '../../../libs/store/ports/spool.ts';
import { recipientReport, type ReportKind, type ToldRow } from './recipient-report.ts';

export interface ReportRequest {
  /** See report-id.ts. */
  id: string;
  kind: ReportKind;
  /** The sender of the message, and where that leads. */
  to: Pick<ResolvedRecipient, 'recipient' | 'resolution'>;
  /** What is to be told. */
  rows: readonly ToldRow[];
  /** Undefined when its body is gone already. */
  original: SpooledMessage | undefined;
  blobs: Blobs;
  hostname: string;
  /** The report is from postmaster there. */
  domain: string;
  nowMs: number;
  schedules: ScheduleConfig;
}

/** The report as a message to accept: from the null reverse-path, never reported on itself (RFC 3461 §6.2, RFC 5321 §4.5.5). */
export async function composeReport(request: ReportRequest): Promise<AcceptedMessage> {
  const { id, to, nowMs, schedules } = request;
  const raw = await reportBytes(request);
  const targets = buildTargets(
    {
      recipients: [{ ...to, notify: 'NEVER' }],
      sender: '',
      sizeBytes: raw.length,
      priority: priorities.report,
      nowMs,
      scheduleOf: (mail) => scheduleFor(mail, schedules),
    },
    new Ranks(),
  );
  return {
    messageId: id,
    acceptedAt: nowMs,
    // All of it is 7-bit but an address in To: a server without SMTPUTF8 is not to be asked for more than that needs.
    envelope: { reversePath: '', smtputf8: !isAscii(to.recipient), body: '7BIT' },
    source: { by: 'report' },
    // It begins here: there is no hop yet to write down.
    trace: '',
    body: await bodyOf(request.blobs, raw),
    sizeBytes: raw.length,
    sha256: createHash('sha256').update(raw).digest('hex'),
    targets,
  };
}

async function reportBytes(request: ReportRequest): Promise<Buffer> {
  const { id, kind, to, rows, original, hostname, domain, nowMs } = request;
  const envid = original?.envelope.envid;
  // Whole only for who asked for it: the sender may be forged, and then a stranger gets it.
  const ret = kind === 'failure' ? (original?.envelope.ret ?? 'HDRS') : 'HDRS';
  const addresses = [to.recipient, ...rows.flatMap(({ row }) => [row.recipient, row.originalRecipient ?? ''])];
  return buildDsn({
    reportId: id,
    reportingMta: hostname,
    from: `postmaster@${domain}`,
    to: to.recipient,
    ...(envid !== undefined && { originalEnvelopeId: envid }),
    arrivedAt: rows[0]?.row.acceptedAt ?? nowMs,
    recipients: rows.map((row) => recipientReport(kind, row)),
    ret,
    original: original === undefined ? new Uint8Array() : await beginningOf(original, ret, request.blobs),
    // RFC 6533 §4: the forms for UTF-8 are for who has shown that it knows them.
    smtputf8: original?.envelope.smtputf8 === true && !addresses.every(isAscii),
    now: nowMs,
  });
}

const isAscii = (text: string): boolean => /^[\x00-\x7f]*$/.test(text);

/** All of the message when it may be returned whole, else its header. Nothing when it is lost: the sender is told all the same. */
async function beginningOf(
  { body, sizeBytes }: SpooledMessage,
  ret: 'FULL' | 'HDRS',
  blobs: Blobs,
): Promise<Uint8Array> {
  if (body.kind === 'inline') return body.bytes;
  // One byte more than is ever returned, so that a larger message is never taken for its beginning.
  const end = Math.min(sizeBytes, (ret === 'FULL' ? MAX_RETURNED_BYTES : MAX_HEADER_BYTES) + 1);
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of blobs.read(body.ref, { start: 0, end })) chunks.push(chunk);
  } catch (error) {
    if (!(error instanceof NotFound)) throw error;
  }
  return Buffer.concat(chunks);
}

async function bodyOf(blobs: Blobs, raw: Buffer): Promise<Body> {
  if (raw.length <= inlineLimitBytes) return { kind: 'inline', bytes: raw };
  const { ref } = await blobs.put(only(raw), AbortSignal.timeout(blobTimeoutMs));
  return { kind: 'blob', ref };
}

const blobTimeoutMs = 30_000;

async function* only(raw: Buffer): AsyncGenerator<Uint8Array> {
  yield raw;
}
