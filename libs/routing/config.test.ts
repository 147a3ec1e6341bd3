import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { startDns } from '../../tests/support/dns-server/server.ts';
import { loadConfig } from '../config/load.ts';
import { openDns } from '../dns/open.ts';
import { systemClock } from '../runtime/clock.ts';
import { routingConfig } from './config.ts';
import { route } from './route.ts';

test('mail goes where the settings say: name servers, refused addresses, families', async (t) => {
  const server = await startDns({
    'a.test': { MX: ['10 mx.a.test'] },
    'mx.a.test': { A: ['127.0.0.1'], AAAA: ['::1'] },
  });
  t.after(() => server.close());
  const to = async (env: Record<string, string>): Promise<string> => {
    const config = loadConfig({ WAYPOST_DNS_SERVERS: server.address, ...env });
    const dns = await openDns({ config, clock: systemClock, metrics: new Registry() });
    const result = await route('a.test', { config: routingConfig(config), dns, signal: new AbortController().signal });
    dns.close();
    if (result.kind !== 'routed') return result.reply.status;
    return result.hosts.flatMap(({ addresses }) => addresses.map(({ address }) => address)).join(' ');
  };
  const allowed = { WAYPOST_ALLOW_PRIVATE_DESTINATIONS: 'true' };
  assert.equal(await to({}), '5.4.4');
  assert.equal(await to({ ...allowed, WAYPOST_IP_PREFERENCE: 'ipv6-first' }), '::1 127.0.0.1');
  assert.equal(await to({ ...allowed, WAYPOST_IP_PREFERENCE: 'ipv4-only' }), '127.0.0.1');
  assert.equal(await to({ ...allowed, WAYPOST_HOSTNAME: 'mx.a.test' }), '5.4.6');
  assert.equal(await to({ WAYPOST_ROUTES: 'a.test=smtp://10.0.0.9:25' }), '10.0.0.9');
});

test('without name servers in the settings those of this machine are asked', async () => {
  const config = loadConfig({});
  const dns = await openDns({ config, clock: systemClock, metrics: new Registry() });
  dns.close();
  assert.equal((await dns.mx('a.test')).kind, 'timeout');
});
