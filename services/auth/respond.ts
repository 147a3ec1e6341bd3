import type { Bus, Subscription } from '../../libs/bus/port.ts';
import type { ReplyOf, RequestName, RequestOf } from '../../libs/bus/requests.ts';
import { toRequestFailed } from '../../libs/directory/request-errors.ts';

/** Answers a request; errors of the store keep their kind on the way. */
export function respond<N extends RequestName>(
  bus: Bus,
  name: N,
  handle: (body: RequestOf<N>, signal: AbortSignal) => Promise<ReplyOf<N>>,
): Subscription {
  return bus.respond(name, async (body, signal) => {
    try {
      return await handle(body, signal);
    } catch (error) {
      throw toRequestFailed(error);
    }
  });
}
