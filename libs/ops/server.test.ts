import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Readiness } from '../runtime/service.ts';
import { createLogger } from './logger.ts';
import { createMetrics } from './metrics.ts';
import { startOpsServer } from './server.ts';

test('the ops server shows metrics, life, and the worst readiness of all services', async (t) => {
  const services: Record<string, Readiness> = {
    auth: { ready: true, degraded: [] },
    queue: { ready: true, degraded: ['nats'] },
  };
  const ops = await startOpsServer({
    listen: { host: '127.0.0.1', port: 0 },
    metrics: createMetrics(),
    log: createLogger({ level: 'silent', service: 'test' }),
    readiness: () => services,
  });
  t.after(() => ops.close());
  const get = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${ops.address.port}${path}`);

  const metrics = await (await get('/metrics')).text();
  assert.match(metrics, /process_resident_memory_bytes \d+/);
  assert.match(metrics, /nodejs_eventloop_lag_p99_seconds/);
  assert.equal((await get('/livez')).status, 200);
  assert.equal((await get('/nothing')).status, 404);

  const green = await get('/readyz');
  assert.equal(green.status, 200);
  assert.deepEqual(await green.json(), { ready: true, degraded: ['nats'], services });

  services['queue'] = { ready: false, degraded: [], reason: 'the store is away' };
  const red = await get('/readyz');
  assert.equal(red.status, 503);
  assert.deepEqual(await red.json(), { ready: false, degraded: [], services });
});
