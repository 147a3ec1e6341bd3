import { type AccountRefusal, accountRefusal } from '../../../libs/bus/account-requests.ts';
import type { Bus } from '../../../libs/bus/port.ts';
import type { ReplyOf, RequestName, RequestOf } from '../../../libs/bus/requests.ts';
import { fromRequestFailed } from '../../../libs/directory/request-errors.ts';
import { problem } from '../../../libs/http/problem.ts';
import { AlreadyExists, NotFound, Refused } from '../../../libs/store/errors.ts';

/** Asks auth; what it refuses is thrown as the error of its kind. */
export async function askAuth<N extends RequestName>(
  bus: Bus,
  name: N,
  body: RequestOf<N>,
  signal: AbortSignal,
): Promise<Exclude<ReplyOf<N>, AccountRefusal>> {
  const reply = await ask(bus, name, body, signal);
  if (isAccepted(reply)) return reply;
  throw refusalError(accountRefusal.parse(reply));
}

async function ask<N extends RequestName>(
  bus: Bus,
  name: N,
  body: RequestOf<N>,
  signal: AbortSignal,
): Promise<ReplyOf<N>> {
  try {
    return await bus.request(name, body, { timeoutMs: askTimeoutMs, signal });
  } catch (error) {
    throw fromRequestFailed(error);
  }
}

/** A password may wait behind others for its turn to be hashed. */
const askTimeoutMs = 10_000;

function isAccepted<T>(reply: T): reply is Exclude<T, AccountRefusal> {
  return !(typeof reply === 'object' && reply !== null && 'ok' in reply && reply.ok === false);
}

function refusalError(refusal: AccountRefusal): Error {
  const { code, what, rule, retryAfterMs = 1_000 } = refusal;
  switch (code) {
    case 'notFound':
      return new NotFound(what);
    case 'alreadyExists':
      return new AlreadyExists(what);
    case 'refused':
      return new Refused(rule ?? 'refused', what);
    case 'wrongPassword':
      return problem('forbidden', 'the current password is wrong');
    case 'limited':
      return problem('loginLimited', undefined, {
        headers: { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1_000))) },
      });
  }
}
