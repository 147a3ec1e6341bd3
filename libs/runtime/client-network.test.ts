import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clientNetwork, plainAddress } from './client-network.ts';
import { isLoopbackHost } from './loopback.ts';
import { createNetworkList } from './network-list.ts';

test('clients are counted by IPv4 address and by IPv6 /64', () => {
  assert.equal(clientNetwork('192.0.2.7'), '192.0.2.7');
  assert.equal(clientNetwork('::ffff:192.0.2.7'), '192.0.2.7');
  assert.equal(clientNetwork('2001:DB8:0:1:2:3:4:5'), '2001:db8:0:1::/64');
  assert.equal(clientNetwork('2001:db8::1'), '2001:db8:0:0::/64');
  assert.equal(clientNetwork('::1'), '0:0:0:0::/64');
  assert.equal(clientNetwork('fe80::1%eth0'), 'fe80:0:0:0::/64');
});

test('one client in several spellings is one client', () => {
  for (const spelling of ['::ffff:c000:207', '::FFFF:192.0.2.7', '0:0:0:0:0:ffff:c000:0207', '::ffff:192.0.2.7%eth0']) {
    assert.equal(plainAddress(spelling), '192.0.2.7', spelling);
    assert.equal(clientNetwork(spelling), '192.0.2.7', spelling);
    assert.equal(createNetworkList(['192.0.2.0/24'])(spelling), true, spelling);
  }
  assert.equal(plainAddress('2001:0DB8:0:0:0:0:0:1'), '2001:db8::1');
  assert.equal(plainAddress('unknown'), 'unknown');
});

test('a loopback address is known in each of its spellings', () => {
  for (const host of ['127.0.0.1', '::1', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1', '::ffff:7f00:1', 'LocalHost']) {
    assert.equal(isLoopbackHost(host), true, host);
  }
  for (const host of ['::ffff:c000:207', '128.0.0.1', 'localhost.example.test', '::ffff:localhost', '']) {
    assert.equal(isLoopbackHost(host), false, host);
  }
});
