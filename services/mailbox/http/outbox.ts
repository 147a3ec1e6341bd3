import { createHash } from 'node:crypto';
import { type AcceptDeps, acceptMessage } from '../../../libs/accept/accept.ts';
import { receivedLine } from '../../../libs/accept/received.ts';
import type { Ranks } from '../../../libs/accept/ranks.ts';
import type { Resolver } from '../../../libs/accept/resolver.ts';
import type { DestinationRules } from '../../../libs/accept/impossible-domain.ts';
import { priorityOf } from '../../../libs/accept/priorities.ts';
import { buildTargets } from '../../../libs/accept/targets.ts';
import { type Blobs, inlineLimitBytes } from '../../../libs/blobs/port.ts';
import type { Config } from '../../../libs/config/load.ts';
import { type ScheduleConfig, scheduleFor } from '../../../libs/delivery/schedules.ts';
import { Problem, problem } from '../../../libs/http/problem.ts';
import { ComposeError } from '../../../libs/mail/compose/check-draft.ts';
import { compose } from '../../../libs/mail/compose/compose.ts';
import type { ParsePool } from '../../../libs/mail/parse-pool/parse-pool.ts';
import type { Clock } from '../../../libs/runtime/clock.ts';
import { newId } from '../../../libs/runtime/ids.ts';
import type { Mailboxes } from '../../../libs/store/ports/mailboxes.ts';
import type { AcceptedMessage, Body } from '../../../libs/store/ports/spool.ts';
import type { SenderRights } from '../../../libs/directory/sender-rights.ts';
import type { Announcer } from '../announcer.ts';
import { deliverable, dueAtOf, needsUtf8, ownSender, type Sender } from './send-envelope.ts';
import type { SendCaller, SendRequest } from './send-route.ts';

export interface OutboxDeps extends AcceptDeps {
  rights: SenderRights;
  mailboxes: Mailboxes;
  blobs: Blobs;
  resolver: Resolver;
  ranks: Ranks;
  parsePool: ParsePool;
  clock: Clock;
  announcer: Announcer;
  settings: Pick<Config, 'hostname' | 'maxMessageBytes'> & DestinationRules & ScheduleConfig;
}

export interface Sent {
  id: string;
  /** Message-ID header without angle brackets. */
  messageId: string;
}

export type Idempotency = NonNullable<AcceptedMessage['idempotency']>;

/** Composing and sending for the API: the account's own sender, deliverable recipients, one accept with the copy for Sent. */
export interface Outbox {
  /** Problems: `senderNotOwned`, `recipientsRefused`, `tooManyRecipients`, `messageTooLarge`, `idempotencyMismatch`, and those of the store. */
  send(
    caller: SendCaller,
    request: SendRequest,
    idempotency: Idempotency | undefined,
    signal: AbortSignal,
  ): Promise<Sent>;
  keepDraft(caller: SendCaller, request: SendRequest): Promise<Sent>;
  /** What the key has sent within 24 h; `idempotencyMismatch` when it was another request. */
  sentBefore(idempotency: Idempotency): Promise<Sent | undefined>;
}

export function createOutbox(deps: OutboxDeps): Outbox {
  return {
    send: (caller, request, idempotency, signal) => send(deps, caller, request, idempotency, signal),
    keepDraft: (caller, request) => keepDraft(deps, caller, request),
    async sentBefore(idempotency) {
      const earlier = await deps.spool.findIdempotent(idempotency.accountId, idempotency.key);
      return earlier === undefined ? undefined : sentEarlier(deps, idempotency, earlier);
    },
  };
}

async function send(
  deps: OutboxDeps,
  caller: SendCaller,
  request: SendRequest,
  idempotency: Idempotency | undefined,
  signal: AbortSignal,
): Promise<Sent> {
  const nowMs = deps.clock.nowMs();
  const from = await ownSender(deps.rights, caller, request);
  const recipients = await deliverable(deps, request, signal);
  const id = newId();
  const composed = await composeFor(deps, request, from, id);
  const sizeBytes = composed.raw.length;
  const dueAt = dueAtOf(request, nowMs);
  const envelope = { reversePath: from.email, smtputf8: needsUtf8(from.email, recipients), body: '7BIT' as const };
  const targets = buildTargets(
    {
      recipients,
      sentCopy: { accountId: caller.accountId, address: caller.address },
      sender: from.email,
      sizeBytes,
      priority: priorityOf({ header: '', targets: recipients.length }),
      nowMs,
      ...(dueAt === undefined ? {} : { dueAt }),
      scheduleOf: (mail) => scheduleFor(mail, deps.settings),
    },
    deps.ranks,
  );
  const hop = {
    protocol: 'HTTP',
    hostname: deps.settings.hostname,
    messageId: id,
    authenticated: true,
    smtputf8: envelope.smtputf8,
    atMs: nowMs,
  } as const;
  const result = await acceptMessage(deps, {
    messageId: id,
    acceptedAt: nowMs,
    envelope,
    source: { by: 'http', accountId: caller.accountId },
    trace: receivedLine(hop),
    body: await bodyOf(deps.blobs, composed.raw, signal),
    sizeBytes,
    sha256: createHash('sha256').update(composed.raw).digest('hex'),
    targets,
    ...(idempotency === undefined ? {} : { idempotency }),
  });
  if (!result.accepted && idempotency !== undefined) {
    return sentEarlier(deps, idempotency, { messageId: result.messageId, requestHash: result.requestHash ?? '' });
  }
  return { id, messageId: composed.messageId };
}

async function keepDraft(deps: OutboxDeps, caller: SendCaller, request: SendRequest): Promise<Sent> {
  const from = await ownSender(deps.rights, caller, request);
  const id = newId();
  const composed = await composeFor(deps, request, from, id);
  const [summary] = await deps.parsePool.summaries([composed.raw]);
  if (summary === undefined) throw new Error('the parser gave no summary');
  const row = await deps.mailboxes.append(caller.accountId, {
    id,
    body: await bodyOf(deps.blobs, composed.raw, AbortSignal.timeout(blobTimeoutMs)),
    role: 'drafts',
    keywords: ['$draft', '$seen'],
    receivedAt: deps.clock.nowMs(),
    sizeBytes: composed.raw.length,
    sha256: createHash('sha256').update(composed.raw).digest('hex'),
    summary: summary.summary,
  });
  deps.announcer.changed(caller.accountId);
  return { id: row.id, messageId: composed.messageId };
}

const blobTimeoutMs = 30_000;

/** The Message-ID header is made from the id, so the answer to a repeat needs nothing but the accept row. */
function sentEarlier(deps: OutboxDeps, asked: Idempotency, earlier: { messageId: string; requestHash: string }): Sent {
  if (earlier.requestHash !== asked.requestHash) throw problem('idempotencyMismatch');
  return { id: earlier.messageId, messageId: messageIdHeader(deps, earlier.messageId) };
}

const messageIdHeader = (deps: OutboxDeps, id: string): string => `${id}@${deps.settings.hostname}`;

async function composeFor(deps: OutboxDeps, request: SendRequest, from: Sender, id: string) {
  const withName = ({ name, email }: { name?: string | null | undefined; email: string }) => ({
    name: name ?? null,
    email,
  });
  const composed = await compose({
    messageId: messageIdHeader(deps, id),
    date: deps.clock.nowMs(),
    from,
    to: request.to.map(withName),
    cc: request.cc.map(withName),
    bcc: request.bcc.map(withName),
    keepBcc: request.draft === true,
    ...(request.replyTo === undefined ? {} : { replyTo: [withName(request.replyTo)] }),
    subject: request.subject,
    ...(request.text === undefined ? {} : { text: request.text }),
    ...(request.html === undefined ? {} : { html: request.html }),
    attachments: request.attachments.map(({ name, type, content }) => ({
      name,
      type,
      content: Buffer.from(content, 'base64'),
    })),
    ...(request.inReplyTo === undefined ? {} : { inReplyTo: request.inReplyTo }),
  }).catch((error: unknown) => {
    throw error instanceof ComposeError ? unwritable(error) : error;
  });
  if (composed.raw.length > deps.settings.maxMessageBytes) {
    throw new Problem(
      413,
      'messageTooLarge',
      'The message is too large',
      `at most ${deps.settings.maxMessageBytes} bytes`,
    );
  }
  return composed;
}

/** What fits the schema and can't be written into a message all the same: a line end in the subject, say. */
function unwritable({ field, message }: ComposeError): Problem {
  // The draft has a list where the request has one: `replyTo[0].email` is `replyTo.email` there.
  const path = `body.${field.replace('replyTo[0]', 'replyTo').replace(/\[(\d+)\]/g, '.$1')}`;
  const reason = message.slice(`${field}: `.length);
  return problem('invalidRequest', `${path}: ${reason}`, { extra: { errors: [{ path, message: reason }] } });
}

async function bodyOf(blobs: Blobs, raw: Buffer, signal: AbortSignal): Promise<Body> {
  if (raw.length <= inlineLimitBytes) return { kind: 'inline', bytes: raw };
  const { ref } = await blobs.put(chunksOf(raw), signal);
  return { kind: 'blob', ref };
}

async function* chunksOf(raw: Buffer): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < raw.length; start += chunkBytes) yield raw.subarray(start, start + chunkBytes);
}

const chunkBytes = 1024 * 1024;
