import { ConnectionLost, type SmtpFailure } from './failures.ts';
import { maxReplyTextLength, type ServerReply } from './reply-parser.ts';

/** What became of one recipient in one attempt. */
export interface RecipientOutcome {
  /** As it was asked for. */
  address: string;
  kind: 'delivered' | 'temporary' | 'permanent';
  stage: 'mail' | 'rcpt' | 'data' | 'final';
  /** Who says so: the server, the network, or this client, which has not asked the server then. */
  source: 'reply' | 'connection' | 'client';
  /** Of the reply. */
  code?: number;
  /** RFC 3463: of the reply, or ours. */
  enhanced?: string;
  /** The reply's text or what went wrong: one line without control characters, at most 512 characters. */
  text: string;
  /** The server's name as it was given to the session. */
  host: string;
  /** The message was sent to its end and the answer never came: the recipient may have it, and get it again. */
  unknown?: true;
}

type Said = Omit<RecipientOutcome, 'address' | 'host'>;

/** A reply that is final for a recipient. Not for 3xx. */
export function saidByReply(reply: ServerReply, stage: RecipientOutcome['stage']): Said {
  return {
    kind: kindOf(reply, stage),
    stage,
    source: 'reply',
    code: reply.code,
    ...(reply.enhanced !== undefined && { enhanced: reply.enhanced }),
    text: reply.text,
  };
}

/** The session has ended before there was an answer. */
export function saidByFailure(failure: SmtpFailure, stage: RecipientOutcome['stage'], unknown: boolean): Said {
  const last = failure instanceof ConnectionLost ? failure.reply : undefined;
  if (last && !unknown) return { ...saidByReply(last, stage), kind: 'temporary' };
  return {
    kind: 'temporary',
    stage,
    source: 'connection',
    text: oneLine(failure.message),
    ...(unknown && { unknown: true as const }),
  };
}

/** What this client knows before it asks. */
export function saidByUs(
  kind: 'temporary' | 'permanent',
  stage: RecipientOutcome['stage'],
  enhanced: string,
  text: string,
): Said {
  return { kind, stage, source: 'client', enhanced, text: oneLine(text) };
}

export const isPositive = ({ code }: ServerReply): boolean => code < 300;
export const isNegative = ({ code }: ServerReply): boolean => code >= 400;

function kindOf(reply: ServerReply, stage: RecipientOutcome['stage']): RecipientOutcome['kind'] {
  if (isPositive(reply)) return 'delivered';
  // RFC 5321 §4.5.3.1.10: 552 to RCPT has long meant too many recipients.
  const tooMany = stage === 'rcpt' && reply.code === 552 && (reply.enhanced ?? '5.5.3') === '5.5.3';
  return reply.code < 500 || tooMany ? 'temporary' : 'permanent';
}

function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ').slice(0, maxReplyTextLength);
}
