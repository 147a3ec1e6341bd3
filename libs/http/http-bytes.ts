import { Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import { HeldBytes, type Room } from '../runtime/held-bytes.ts';
import { problem } from './problem.ts';

const mib = 1024 * 1024;

/**
 * What the HTTP address of a process holds of bodies: of requests from their first byte until they are answered, and of large answers until the client
 * has taken them. A body is held several times over while it is parsed and composed, so this is a fraction of what the process may take.
 */
export function createHttpBytes(metrics: Registry): HeldBytes {
  // The largest request of an account fits beside small ones; three accounts can have one each.
  const bytes = new HeldBytes({ totalBytes: 128 * mib, perHolderBytes: 48 * mib });
  new Gauge({
    name: 'waypost_http_held_bytes',
    help: 'Bytes of request bodies and of large answers that are held in memory.',
    registers: [metrics],
    collect() {
      this.set(bytes.bytes);
    },
  });
  return bytes;
}

/** Answers smaller than this aren't counted: connections have a limit. */
export const countedAnswerBytes = 64 * 1024;

/** Throws the problem of a budget that has no room: 429 when it is the caller who has too much, else 503. */
export function needRoom(room: Room): void {
  if (room === 'holderFull') {
    throw problem('tooManyRequests', 'too many large requests of this account at once', { headers: again });
  }
  if (room === 'full') throw problem('overloaded', 'too many large requests at once', { headers: again });
}

const again = { 'retry-after': '2' };
