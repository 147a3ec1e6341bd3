import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { Registry } from 'prom-client';
import { createNatsBus } from '../../libs/bus/nats/bus.ts';
import { eventsStream } from '../../libs/bus/nats/subjects.ts';
import { createLogger } from '../../libs/ops/logger.ts';
import { systemClock } from '../../libs/runtime/clock.ts';
import { natsForFile } from '../backends/require.ts';
import { busContract } from './bus.ts';
import type { BusFixture } from './bus.ts';

const nats = await natsForFile();

if (nats.skip === false) {
  const { url } = nats.backend;
  busContract('nats', async (): Promise<BusFixture> => {
    await withoutStream(url);
    const bus = await createNatsBus({
      url,
      service: 'test',
      source: '/waypost/test/1',
      clock: systemClock,
      log: createLogger({ level: 'silent', service: 'test' }),
      metrics: new Registry(),
      createStreams: true,
    });
    return { bus, close: () => bus.close() };
  });
}

/** What another test has left there. */
async function withoutStream(server: string): Promise<void> {
  const nc = await connect({ servers: server });
  const jsm = await jetstreamManager(nc);
  for await (const name of jsm.streams.names()) if (name === eventsStream) await jsm.streams.delete(name);
  await nc.close();
}
