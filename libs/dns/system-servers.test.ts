import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseResolvConf, readSystemServers } from './system-servers.ts';

test('the name servers of resolv.conf are used; its search domains are not', () => {
  const text =
    '# made\nnameserver 10.96.0.10\nnameserver fe80::1%eth0\nnameserver nonsense\nsearch default.svc.cluster.local\noptions ndots:5\n';
  assert.deepEqual(parseResolvConf(text), {
    servers: [
      { host: '10.96.0.10', port: 53 },
      { host: 'fe80::1%eth0', port: 53 },
    ],
    trustAuthentic: false,
  });
});

test('trust-ad says that the AD flag is believed', () => {
  assert.equal(parseResolvConf('nameserver 10.0.0.1\noptions edns0 trust-ad\n').trustAuthentic, true);
});

test('without the file it is the server on this machine', async () => {
  assert.deepEqual((await readSystemServers('/nowhere/resolv.conf')).servers, [{ host: '127.0.0.1', port: 53 }]);
});
