import { dial } from './dial.ts';
import type { NatsAccess } from './options.ts';
import { makeStream } from './stream.ts';

/**
 * Makes the stream of events, or brings its settings to ours: `waypost migrate`, with a user that may.
 * @throws BusMisconfigured, ServerUnreachable with what to do
 */
export async function prepareStreams(access: NatsAccess): Promise<void> {
  const nc = await dial(access, 'waypost migrate');
  try {
    await makeStream(nc);
  } finally {
    await nc.close();
  }
}
