import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage, request, type RequestListener, type Server } from 'node:http';
import { text } from 'node:stream/consumers';
import { after, test } from 'node:test';
import type { ListenAddress } from '../../libs/config/forms.ts';
import { listenOn } from '../../libs/runtime/listen.ts';
import type { ServiceName } from '../../services/service-names.ts';
import { freePorts } from '../servers/server-process.ts';
import { type Proxy, startProxy } from './proxy.ts';

const loopback = { host: '127.0.0.1', port: 0 };
const servers: Server[] = [];
const proxies: Proxy[] = [];
after(async () => {
  for (const server of servers) server.close().closeAllConnections();
  await Promise.all(proxies.map((proxy) => proxy.close(0)));
});

test('a path goes to its service, with method, query, headers and body as they came', async () => {
  const mailbox = await service('mailbox');
  const auth = await service('auth');
  const url = await proxyTo({ mailbox: [mailbox], auth: [auth] });
  const sent = await fetch(`${url}/api/v1/accounts/me/messages?a=1`, {
    method: 'POST',
    body: 'x'.repeat(100_000),
    headers: { 'x-mine': '1' },
  });
  assert.deepEqual(await sent.json(), {
    name: 'mailbox',
    method: 'POST',
    url: '/api/v1/accounts/me/messages?a=1',
    mine: '1',
    bodyLength: 100_000,
  });
  for (const path of ['/api/v1/domains', '/api/v1/aliases?limit=1', '/api/v1/tokens/x']) {
    assert.equal((await answerOf(`${url}${path}`)).name, 'auth', path);
  }
  assert.equal((await answerOf(`${url}/api/v1/accounts`)).name, 'mailbox');
});

test('copies take turns, and one that is gone is passed over', async () => {
  const [gone = 0] = await freePorts(1);
  const url = await proxyTo({ queue: [await service('one'), { host: '127.0.0.1', port: gone }, await service('two')] });
  const seen = new Set<string>();
  for (let n = 0; n < 6; n++) seen.add((await answerOf(`${url}/api/v1/queue/counts`)).name);
  assert.deepEqual([...seen].toSorted(), ['one', 'two']);
  const posted = await fetch(`${url}/api/v1/queue/actions`, { method: 'POST', body: 'body' });
  assert.equal((await json(posted)).bodyLength, 4);
});

test('a service that is away is answered with 503, a problem and Retry-After; others go on', async () => {
  const [gone = 0] = await freePorts(1);
  const url = await proxyTo({ mailbox: [{ host: '127.0.0.1', port: gone }], auth: [await service('auth')] });
  for (const path of ['/api/v1/accounts', '/api/v1/queue/counts']) {
    const answer = await fetch(`${url}${path}`);
    assert.equal(answer.status, 503, path);
    assert.equal(answer.headers.get('retry-after'), '1');
    assert.match(answer.headers.get('content-type') ?? '', /problem\+json/);
    assert.equal((await json(answer)).code, 'busUnavailable');
  }
  assert.equal((await answerOf(`${url}/api/openapi.json`)).name, 'auth');
});

test('what a service streams reaches the client as it comes, and a client that goes away is told to the service', async () => {
  const ended = Promise.withResolvers<void>();
  const mailbox = await listening((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('event: state\n\n');
    response.once('close', () => ended.resolve());
  });
  const url = await proxyTo({ mailbox: [mailbox] });
  const call = get(`${url}/api/v1/accounts/me/events`);
  const [answer] = await once(call, 'response');
  const [chunk] = await once(answer, 'data');
  assert.equal(String(chunk), 'event: state\n\n');
  call.destroy();
  await ended.promise;
});

test('an answer that a service cuts is cut for the client', async () => {
  const mailbox = await listening((_request, response) => {
    response.writeHead(200, { 'content-length': '1000' });
    response.write('half', () => response.destroy());
  });
  const url = await proxyTo({ mailbox: [mailbox] });
  await assert.rejects(fetch(`${url}/api/v1/accounts`).then((answer) => answer.text()));
});

test('a service that ends before it answers is no reason to send the body to another', async () => {
  let bodies = 0;
  const dying = (incoming: IncomingMessage): void => {
    bodies += 1;
    incoming.once('data', () => incoming.socket.destroy());
  };
  const url = await proxyTo({ mailbox: [await listening(dying), await listening(dying)] });
  const answer = await fetch(`${url}/api/v1/accounts/me/messages`, { method: 'POST', body: 'a message' });
  assert.equal(answer.status, 503);
  assert.equal(bodies, 1);
});

test('an early refusal of a large body reaches the client', async () => {
  const mailbox = await listening((_request, response) => response.writeHead(413, { connection: 'close' }).end('no'));
  const url = await proxyTo({ mailbox: [mailbox] });
  const call = request(`${url}/api/v1/accounts/me/messages`, { method: 'POST' });
  call.on('error', () => undefined);
  call.write('x'.repeat(1000));
  const [answer] = await once(call, 'response');
  assert.equal(answer.statusCode, 413);
  assert.equal(await text(answer), 'no');
  call.destroy();
});

test('who is on this machine is no proxy: its X-Forwarded-For is dropped; a trusted proxy’s is passed on with its own address', async () => {
  const mailbox = await listening((incoming, response) => {
    response.end(
      JSON.stringify({ for: incoming.headers['x-forwarded-for'], proto: incoming.headers['x-forwarded-proto'] }),
    );
  });
  const headers = { 'x-forwarded-for': '192.0.2.9', 'x-forwarded-proto': 'https' };
  const plain = await proxyTo({ mailbox: [mailbox] });
  assert.deepEqual(await json(await fetch(`${plain}/api/v1/accounts`, { headers })), {});
  const trusting = await proxyTo({ mailbox: [mailbox] }, ['127.0.0.0/8']);
  assert.deepEqual(await json(await fetch(`${trusting}/api/v1/accounts`, { headers })), {
    for: '192.0.2.9, 127.0.0.1',
    proto: 'https',
  });
  assert.deepEqual(await json(await fetch(`${trusting}/api/v1/accounts`)), {});
});

async function listening(listener: RequestListener): Promise<ListenAddress> {
  const server = createServer(listener);
  servers.push(server);
  return listenOn(server, loopback);
}

function service(name: string): Promise<ListenAddress> {
  return listening((incoming, response) => {
    void text(incoming).then(({ length: bodyLength }) => {
      const { method, url, headers } = incoming;
      response.end(JSON.stringify({ name, method, url, mine: headers['x-mine'], bodyLength }));
    });
  });
}

async function proxyTo(
  copies: Partial<Record<ServiceName, ListenAddress[]>>,
  trustedProxies: string[] = [],
): Promise<string> {
  const proxy = await startProxy({ listen: loopback, copiesOf: (name) => copies[name] ?? [], trustedProxies });
  proxies.push(proxy);
  return `http://127.0.0.1:${proxy.address.port}`;
}

interface Answer {
  name: string;
  code: string;
  bodyLength: number;
}

const json = async (answer: Response): Promise<Answer> => JSON.parse(await answer.text());
const answerOf = async (url: string): Promise<Answer> => json(await fetch(url));
