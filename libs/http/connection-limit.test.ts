import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { Registry } from 'prom-client';
import { limitConnections } from './connection-limit.ts';

/** A server that is told of connections from anywhere. */
function setUp() {
  const metrics = new Registry();
  const server = createServer();
  limitConnections(server, { limits: { all: 100, ofNetwork: 2 }, trustedProxies: ['192.0.2.0/24'], metrics });
  const connect = (remoteAddress: string) => {
    const socket = Object.assign(new PassThrough(), { remoteAddress });
    for (const listener of server.listeners('connection').slice(1)) Reflect.apply(listener, server, [socket]);
    return socket;
  };
  return { connect, metrics };
}

test('one network has only so many connections, and one that ends makes room', async () => {
  const { connect, metrics } = setUp();
  const first = connect('2001:db8::1');
  assert.equal(connect('2001:db8::2').destroyed, false);
  assert.equal(connect('2001:db8::3').destroyed, true);
  assert.equal(connect('2001:db8:0:1::1').destroyed, false);
  first.destroy();
  await once(first, 'close');
  assert.equal(connect('2001:db8::3').destroyed, false);
  assert.match(await metrics.metrics(), /waypost_http_connections_refused_total\{limit="network"\} 1/);
});

test('proxies of ours and this machine are not counted', () => {
  const { connect } = setUp();
  for (const address of ['192.0.2.1', '127.0.0.1', '::ffff:7f00:1']) {
    for (let n = 0; n < 5; n++) assert.equal(connect(address).destroyed, false, address);
  }
});
