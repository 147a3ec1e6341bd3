import { acceptMessage } from '../../libs/accept/accept.ts';
import { receivedLine } from '../../libs/accept/received.ts';
import { priorityOf } from '../../libs/accept/priorities.ts';
import { buildTargets } from '../../libs/accept/targets.ts';
import { scheduleFor } from '../../libs/delivery/schedules.ts';
import { newId } from '../../libs/runtime/ids.ts';
import { type Reply, reply } from '../../libs/smtp/reply.ts';
import { OutcomeUnknown, StoreBusy, StoreFull, StoreUnavailable } from '../../libs/store/errors.ts';
import type { AcceptedMessage, Envelope, Source } from '../../libs/store/ports/spool.ts';
import type { CollectedBody } from './body-collector.ts';
import type { IngressContext } from './context.ts';
import { forwardedFrom, forwardingAliases, forwardingCircle, forwardingMarks } from './forwarding.ts';
import { countReceived, headerFields } from './header-section.ts';
import { noRoom, type Reception } from './reception.ts';
import { foreignOriginator, missingFields } from './submitted-header.ts';
import type { AuthenticatedUser, Transaction } from './transaction.ts';

/** Where the data came from. */
export interface Origin {
  by: 'mx' | 'submission' | 'lmtp';
  protocol: 'SMTP' | 'ESMTP' | 'LMTP';
  helo: string;
  remoteAddress: string;
  tls?: string;
  user?: AuthenticatedUser;
}

/**
 * The answer to the end of the data: 250 once the message with all its targets is on stable storage, and not before. Rejects when the directory can't be
 * asked or something isn't foreseen; nothing was accepted then.
 */
export async function conclude(
  reception: Reception,
  transaction: Transaction,
  origin: Origin,
  context: IngressContext,
): Promise<Reply> {
  const aliases = forwardingAliases(transaction.recipients);
  // A user may send again what was forwarded once; circles go through other servers.
  const circle = origin.user ? undefined : forwardingCircle(reception.header, aliases, context);
  const fault = reception.fault() ?? loop(reception, context.limits.maxReceived) ?? circle;
  if (fault) return fault;
  const messageId = newId();
  const atMs = context.clock.nowMs();
  let added = '';
  if (origin.user) {
    const fields = headerFields(reception.header);
    const foreign = await foreignOriginator(fields, origin.user.accountId, context.senderRights);
    if (foreign) return foreign;
    added = missingFields(fields, { messageId, hostname: context.hostname, atMs });
  }
  const received = receivedLine({ ...hop(transaction, origin), hostname: context.hostname, messageId, atMs });
  const trace = received + forwardingMarks(aliases, context) + added;
  // Who submits has shown that the sender is its own.
  const from = aliases.length === 0 || origin.user ? undefined : await forwardedFrom(transaction, context);
  const priority = priorityOf({ header: reception.header.toString('latin1'), targets: transaction.targets.size });
  try {
    const body = await reception.finish();
    await acceptMessage(
      context.accept,
      message({ messageId, atMs, trace, body, from, priority }, transaction, origin, context),
    );
    logAccepted(messageId, body.sizeBytes, transaction, origin, context);
    return reply(250, '2.6.0', `Message queued as ${messageId}`);
  } catch (error) {
    context.gate.failed(error);
    const refusal = storeReply(error);
    if (!refusal) throw error;
    context.log.warn({ err: error, messageId }, 'a message could not be made durable');
    return refusal;
  }
}

function loop(reception: Reception, maxReceived: number): Reply | undefined {
  const hops = countReceived(reception.header);
  return hops > maxReceived
    ? reply(554, '5.4.6', `The message has been through ${hops} servers: it goes in a circle`)
    : undefined;
}

function hop(transaction: Transaction, origin: Origin) {
  const [only, ...others] = transaction.recipients;
  return {
    protocol: origin.protocol,
    helo: origin.helo,
    remoteAddress: origin.remoteAddress,
    authenticated: origin.user !== undefined,
    smtputf8: transaction.smtputf8,
    ...(origin.tls !== undefined && { tls: origin.tls }),
    ...(only && others.length === 0 && { recipient: only.recipient }),
  };
}

interface Concluded {
  messageId: string;
  atMs: number;
  trace: string;
  body: CollectedBody;
  /** MAIL FROM of what aliases forward, where it isn't the sender. */
  from: string | undefined;
  priority: number;
}

function message(
  { messageId, atMs, trace, body, from, priority }: Concluded,
  transaction: Transaction,
  origin: Origin,
  context: IngressContext,
): AcceptedMessage {
  const source: Source = {
    by: origin.by,
    remoteAddress: origin.remoteAddress,
    helo: origin.helo,
    ...(origin.tls !== undefined && { tls: origin.tls }),
    ...(origin.user && { accountId: origin.user.accountId }),
  };
  const targets = buildTargets(
    {
      recipients: transaction.recipients,
      sender: transaction.reversePath,
      ...(from !== undefined && { forwardedFrom: from }),
      sizeBytes: body.sizeBytes,
      priority,
      nowMs: atMs,
      scheduleOf: (mail) => scheduleFor(mail, context.schedules),
    },
    context.ranks,
  );
  return {
    messageId,
    acceptedAt: atMs,
    envelope: envelope(transaction),
    source,
    trace,
    ...body,
    targets,
  };
}

function envelope({ reversePath, smtputf8, body, envid, ret }: Transaction): Envelope {
  return { reversePath, smtputf8, body, ...(envid !== undefined && { envid }), ...(ret && { ret }) };
}

function logAccepted(
  messageId: string,
  sizeBytes: number,
  { reversePath, recipients }: Transaction,
  origin: Origin,
  { log }: IngressContext,
): void {
  log.info(
    {
      messageId,
      sender: reversePath,
      recipients: recipients.length,
      sizeBytes,
      by: origin.by,
      remoteAddress: origin.remoteAddress,
    },
    'message accepted',
  );
}

function storeReply(error: unknown): Reply | undefined {
  if (error instanceof StoreFull) return noRoom;
  if (error instanceof StoreBusy || error instanceof StoreUnavailable || error instanceof OutcomeUnknown) {
    return reply(451, '4.3.0', 'The message could not be stored, try again later');
  }
  return undefined;
}
