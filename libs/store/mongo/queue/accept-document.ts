import { Binary } from 'mongodb';
import { partitionOfMessage } from '../../../delivery/partition.ts';
import type { Target } from '../../../delivery/row.ts';
import type { AcceptedMessage, Body, Envelope, Source, SpooledMessage } from '../../ports/spool.ts';

/**
 * One accepted message: bytes, envelope and frozen targets, written once. Only `routedAt`, the marks of the collection and the end of an Idempotency-Key
 * change it. Times are ms since the epoch.
 */
export interface AcceptDocument {
  /** The messageId. */
  _id: string;
  /** 1 when this release wrote it (newer-documents.ts). */
  v: number;
  /** Of the message: whose owner completes its fan-out. */
  partition: number;
  acceptedAt: number;
  envelope: Envelope;
  source: Source;
  trace: string;
  /** The bytes, or `blob` names them; neither when the body was collected. */
  bytes?: Binary;
  blob?: string;
  sizeBytes: number;
  sha256: string;
  targets: readonly Target[];
  idempotency?: { accountId: string; key: string; requestHash: string };
  /** When fan-out was complete. */
  routedAt: number | null;
  /** When the collection looks at the body again; null when it has gone. */
  checkAt: number | null;
  /** The look that found nothing that refers to the body. */
  markedAt: number | null;
}

/** A new body is looked at after a day. */
const firstCheckMs = 24 * 3_600_000;

export function acceptDocument(message: AcceptedMessage): AcceptDocument {
  const { messageId, acceptedAt, envelope, source, trace, body, sizeBytes, sha256, targets, idempotency } = message;
  const document: AcceptDocument = {
    _id: messageId,
    v: 1,
    partition: partitionOfMessage(messageId),
    acceptedAt,
    envelope,
    source,
    trace,
    sizeBytes,
    sha256,
    targets,
    routedAt: null,
    checkAt: acceptedAt + firstCheckMs,
    markedAt: null,
  };
  if (body.kind === 'inline') document.bytes = new Binary(body.bytes);
  else document.blob = body.ref;
  if (idempotency !== undefined) document.idempotency = idempotency;
  return document;
}

/** Undefined when the body has gone. */
export function spooledMessage(document: AcceptDocument): SpooledMessage | undefined {
  const body = bodyOf(document);
  if (body === undefined) return undefined;
  const { _id: messageId, acceptedAt, envelope, source, trace, sizeBytes, sha256, targets, idempotency } = document;
  const message: SpooledMessage = { messageId, acceptedAt, envelope, source, trace, body, sizeBytes, sha256, targets };
  return idempotency === undefined ? message : { ...message, idempotency };
}

export function bodyOf({ bytes, blob }: { bytes?: Binary; blob?: string }): Body | undefined {
  if (blob !== undefined) return { kind: 'blob', ref: blob };
  if (bytes === undefined) return undefined;
  const { buffer, byteOffset, byteLength } = bytes.value();
  return { kind: 'inline', bytes: new Uint8Array(buffer, byteOffset, byteLength) };
}
