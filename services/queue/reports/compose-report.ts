import { createHash } from 'node:crypto';
import { Ranks } from '../../../libs/accept/ranks.ts';
import { priorities } from '../../../libs/accept/priorities.ts';
import { buildTargets, type ResolvedRecipient } from '../../../libs/accept/targets.ts';
import { type Blobs, inlineLimitBytes } from '../../../libs/blobs/port.ts';
import type { DeliveryRow } from '../../../libs/delivery/row.ts';
import { buildDsn, type RecipientReport } from '../../../libs/mail/report/build-dsn.ts';
import { NotFound } from '../../../libs/store/errors.ts';
import type { AcceptedMessage, Body, SpooledMessage } from '../../../libs/store/ports/spool.ts';

export interface ReportRequest {
  /** See report-id.ts. */
  id: string;
  /** The sender of the message, and where that leads. */
  to: Pick<ResolvedRecipient, 'recipient' | 'resolution'>;
  /** What failed and is to be told. */
  rows: readonly DeliveryRow[];
  /** Undefined when its body is gone already. */
  original: SpooledMessage | undefined;
  blobs: Blobs;
  hostname: string;
  /** The report is from postmaster there. */
  domain: string;
  nowMs: number;
  expireAfterMs: number;
}

/** The report as a message to accept: from the null reverse-path, never reported on itself (RFC 3461 §6.2, RFC 5321 §4.5.5). */
export async function composeReport(request: ReportRequest): Promise<AcceptedMessage> {
  const { id, to, original, nowMs, expireAfterMs } = request;
  const smtputf8 = original?.envelope.smtputf8 === true || /[^\x00-\x7f]/.test(to.recipient);
  const raw = await reportBytes(request, smtputf8);
  const targets = buildTargets(
    {
      recipients: [{ ...to, notify: 'NEVER' }],
      sender: '',
      sizeBytes: raw.length,
      priority: priorities.report,
      nowMs,
      expireAfterMs,
    },
    new Ranks(),
  );
  return {
    messageId: id,
    acceptedAt: nowMs,
    envelope: { reversePath: '', smtputf8, body: '7BIT' },
    source: { by: 'report' },
    // It begins here: there is no hop yet to write down.
    trace: '',
    body: await bodyOf(request.blobs, raw),
    sizeBytes: raw.length,
    sha256: createHash('sha256').update(raw).digest('hex'),
    targets,
  };
}

async function reportBytes(request: ReportRequest, smtputf8: boolean): Promise<Buffer> {
  const { id, to, rows, original, hostname, domain, nowMs } = request;
  const envid = original?.envelope.envid;
  return buildDsn({
    reportId: id,
    reportingMta: hostname,
    from: `postmaster@${domain}`,
    to: to.recipient,
    ...(envid !== undefined && { originalEnvelopeId: envid }),
    arrivedAt: rows[0]?.acceptedAt ?? nowMs,
    recipients: rows.map(recipientReport),
    // Whole only for who asked for it: the sender may be forged, and then a stranger gets it.
    ret: original?.envelope.ret ?? 'HDRS',
    original: original === undefined ? new Uint8Array() : await beginningOf(original, request.blobs),
    smtputf8,
    now: nowMs,
  });
}

function recipientReport(row: DeliveryRow): RecipientReport {
  const { recipient, originalRecipient, lastReply } = row;
  return {
    finalRecipient: recipient,
    ...(originalRecipient !== undefined && { originalRecipient }),
    action: 'failed',
    // RFC 3464 §2.3.4: a class 4 status here is a persistent transient failure, given up when the time was over.
    status:
      /\b[245]\.\d{1,3}\.\d{1,3}\b/.exec(lastReply ?? '')?.[0] ??
      (row.lastReplyClass === 'permanent' ? '5.0.0' : '4.4.7'),
    diagnosticCode: lastReply ?? '451 4.4.7 the time for its delivery is over',
  };
}

/** All of the message when it may be returned whole, else enough for every header that ingress lets in. Nothing when it is lost: the sender is told all the same. */
async function beginningOf({ body, sizeBytes }: SpooledMessage, blobs: Blobs): Promise<Uint8Array> {
  if (body.kind === 'inline') return body.bytes;
  const end = Math.min(sizeBytes, maxReadBytes);
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of blobs.read(body.ref, { start: 0, end })) chunks.push(chunk);
  } catch (error) {
    if (!(error instanceof NotFound)) throw error;
  }
  return Buffer.concat(chunks);
}

/** One byte more than is ever returned whole, so that a larger message is never taken for its beginning. */
const maxReadBytes = 1024 * 1024 + 1;

async function bodyOf(blobs: Blobs, raw: Buffer): Promise<Body> {
  if (raw.length <= inlineLimitBytes) return { kind: 'inline', bytes: raw };
  const { ref } = await blobs.put(only(raw), AbortSignal.timeout(blobTimeoutMs));
  return { kind: 'blob', ref };
}

const blobTimeoutMs = 30_000;

async function* only(raw: Buffer): AsyncGenerator<Uint8Array> {
  yield raw;
}
