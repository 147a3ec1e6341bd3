import { createHash } from 'node:crypto';
import { type AcceptDeps, acceptMessage } from '../../../libs/accept/accept.ts';
import { receivedLine } from '../../../libs/accept/received.ts';
import type { Ranks } from '../../../libs/accept/ranks.ts';
import type { Resolver } from '../../../libs/accept/resolver.ts';
import { buildTargets, maxRecipients, priorities, type ResolvedRecipient } from '../../../libs/accept/targets.ts';
import { type Blobs, inlineLimitBytes } from '../../../libs/blobs/port.ts';
import { Problem, problem } from '../../../libs/http/problem.ts';
import { parseAddress, splitSubaddress } from '../../../libs/mail/address/mailbox-address.ts';
import { ComposeError } from '../../../libs/mail/compose/check-draft.ts';
import { compose } from '../../../libs/mail/compose/compose.ts';
import type { ParsePool } from '../../../libs/mail/parse-pool/parse-pool.ts';
import type { Clock } from '../../../libs/runtime/clock.ts';
import { newId } from '../../../libs/runtime/ids.ts';
import type { Directory } from '../../../libs/store/ports/directory.ts';
import type { Mailboxes } from '../../../libs/store/ports/mailboxes.ts';
import type { AcceptedMessage, Body } from '../../../libs/store/ports/spool.ts';
import type { Announcer } from '../announcer.ts';
import type { SendCaller, SendRequest } from './send-route.ts';

export interface OutboxDeps extends AcceptDeps {
  directory: Directory;
  mailboxes: Mailboxes;
  blobs: Blobs;
  resolver: Resolver;
  ranks: Ranks;
  parsePool: ParsePool;
  clock: Clock;
  announcer: Announcer;
  settings: { hostname: string; expireAfterMs: number; maxMessageBytes: number };
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
  const from = await ownSender(deps.directory, caller, request);
  const recipients = await deliverable(deps.resolver, request, signal);
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
      priority: priorities.ordinary,
      nowMs,
      ...(dueAt === undefined ? {} : { dueAt }),
      expireAfterMs: deps.settings.expireAfterMs,
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
  const from = await ownSender(deps.directory, caller, request);
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

interface Sender {
  name: string | null;
  email: string;
}

/** RFC 6409 §6.1: a submitter sends as itself, with any of its addresses, with or without a subaddress. */
async function ownSender(directory: Directory, caller: SendCaller, request: SendRequest): Promise<Sender> {
  if (request.from === undefined) return { name: null, email: caller.address };
  const address = parseAddress(request.from.email);
  const own = address === undefined ? [] : await directory.addressesOf(caller.accountId);
  if (address === undefined || !(own.includes(address.key) || own.includes(withoutTag(address)))) {
    throw new Problem(422, 'senderNotOwned', 'The sender isn’t one of the account’s addresses', request.from.email);
  }
  return { name: request.from.name ?? null, email: address.display };
}

function withoutTag(address: { key: string; localPart: string }): string {
  const at = address.key.lastIndexOf('@');
  return `${splitSubaddress(address.key.slice(0, at)).user}${address.key.slice(at)}`;
}

/** Every recipient must have somewhere to go, else nothing is sent and the problem lists those that haven't. */
async function deliverable(
  resolver: Resolver,
  request: SendRequest,
  signal: AbortSignal,
): Promise<ResolvedRecipient[]> {
  const emails = [...request.to, ...request.cc, ...request.bcc].map(({ email }) => email);
  if (emails.length === 0)
    throw new Problem(422, 'noRecipients', 'There is nobody to send to', 'name somebody in to, cc or bcc');
  if (emails.length > maxRecipients)
    throw new Problem(422, 'tooManyRecipients', 'Too many recipients', `at most ${maxRecipients}`);
  const refused: { email: string; reason: string }[] = [];
  const recipients: ResolvedRecipient[] = [];
  for (const email of emails) {
    const address = parseAddress(email);
    if (address === undefined) {
      refused.push({ email, reason: 'invalidAddress' });
      continue;
    }
    const resolution = await resolver.resolve(address.display, signal);
    if (resolution.kind === 'local') recipients.push({ recipient: address.display, resolution });
    else refused.push({ email, reason: resolution.kind === 'remote' ? 'noOutgoingMail' : resolution.kind });
  }
  if (refused.length > 0) {
    throw new Problem(422, 'recipientsRefused', 'Some recipients can’t be delivered to', 'nothing was sent', {
      recipients: refused,
    });
  }
  return recipients;
}

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

/** How far ahead a send may be put off. */
const maxDelayMs = 366 * 24 * 3_600_000;

function dueAtOf(request: SendRequest, nowMs: number): number | undefined {
  if (request.sendAt === undefined) return undefined;
  const dueAt = Date.parse(request.sendAt);
  if (dueAt > nowMs + maxDelayMs) throw new Problem(422, 'sendAtTooFar', 'sendAt is too far ahead', 'at most 366 days');
  return Math.max(dueAt, nowMs);
}

/** RFC 6531 §3.3: an envelope with an address outside ASCII. */
function needsUtf8(sender: string, recipients: readonly { recipient: string }[]): boolean {
  return [sender, ...recipients.map(({ recipient }) => recipient)].some((address) => /[^\x00-\x7f]/.test(address));
}
