import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type ApiClient, apiClient, createAccount } from '../support/api-client.ts';
import { arrived } from '../support/reading.ts';
import { SmtpClient } from '../support/smtp-client.ts';
import { startSystem, type System } from '../support/system.ts';

/** The paths that others build on, with their methods. What is not among them may come and go. */
const fixedOperations = [
  'GET POST /api/v1/domains',
  'GET POST /api/v1/accounts',
  'GET PATCH DELETE /api/v1/accounts/{account}',
  'GET POST /api/v1/accounts/{account}/app-passwords',
  'GET POST /api/v1/aliases',
  'GET POST /api/v1/tokens',
  'GET POST /api/v1/accounts/{account}/mailboxes',
  'GET POST /api/v1/accounts/{account}/messages',
  'GET PATCH DELETE /api/v1/accounts/{account}/messages/{id}',
  'GET /api/v1/accounts/{account}/messages/{id}/raw',
  'GET /api/v1/accounts/{account}/messages/{id}/attachments/{n}',
  'GET /api/v1/accounts/{account}/changes',
  'GET /api/v1/accounts/{account}/events',
  'GET /api/v1/queue/deliveries',
  'GET /api/v1/queue/deliveries/{id}',
  'GET /api/v1/queue/counts',
];

/** The fields of answers that others build on. There may be more. */
const fixedFields: Readonly<Record<string, string>> = {
  Account: 'id address displayName enabled quota',
  NewAppPassword: 'id name password',
  Alias: 'address targets',
  Token: 'id name scopes expiresAt',
  NewToken: 'id name scopes expiresAt token',
  Mailbox: 'id name parentId role totalEmails unreadEmails',
  EmailAddress: 'name email',
  MessageItem:
    'id threadId blobId mailboxIds keywords from to subject receivedAt sentAt size preview hasAttachment unparsable',
  Message:
    'id threadId blobId mailboxIds keywords from to subject receivedAt sentAt size preview hasAttachment unparsable ' +
    'cc bcc replyTo messageId inReplyTo references headers text html attachments',
  Attachment: 'n name type size cid',
  Delivery: 'id messageId sender recipient destination state attempts dueAt expiresAt lastReply',
  TracedDelivery: 'id messageId sender recipient destination state attempts dueAt expiresAt lastReply trace',
  QueueCounts: 'asOf byState destinations',
  Problem: 'type title status detail code',
};

/** What lists can be asked for. */
const fixedQueries: Readonly<Record<string, string>> = {
  '/api/v1/accounts/{account}/messages': 'mailbox text from to subject since before unread hasAttachment limit cursor',
  '/api/v1/accounts/{account}/changes': 'since',
  '/api/v1/queue/deliveries': 'state destination sender recipient domain error olderThan limit cursor',
  '/api/v1/accounts': 'limit cursor',
  '/api/v1/domains': 'limit cursor',
  '/api/v1/aliases': 'limit cursor',
  '/api/v1/tokens': 'limit cursor',
};

interface Operation {
  operationId: string;
  parameters?: { name: string; in: string; required?: boolean }[];
  responses: Record<string, { description: string }>;
}

describe('what the system says about itself', () => {
  let waypost: System;
  let admin: ApiClient;
  let document: {
    openapi: string;
    info: object;
    paths: Record<string, Record<string, Operation>>;
    components: { schemas: Record<string, { properties?: object; allOf?: unknown }> };
  };

  before(async () => {
    waypost = await startSystem({ WAYPOST_SAMPLE_ACCOUNTS: 'false' });
    admin = apiClient(waypost.api, waypost.admin);
    const answer = await fetch(`${waypost.api}/api/openapi.json`);
    assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
    document = JSON.parse(await answer.text());
  });
  after(() => waypost.dispose());

  const operations = (): [string, string, Operation][] =>
    Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]): [string, string, Operation] => [method, path, operation]),
    );

  it('the API’s document is OpenAPI 3.1 whose references all lead somewhere', () => {
    assert.match(document.openapi, /^3\.1\.\d+$/);
    assert.ok('title' in document.info && 'version' in document.info);
    for (const [at, reference] of references(document)) {
      assert.ok(reference.startsWith('#/'), `${at}: ${reference}`);
      assert.notEqual(resolvePointer(document, reference), undefined, `${at}: ${reference} leads nowhere`);
    }
    const ids = operations().map(([, , { operationId }]) => operationId);
    assert.equal(new Set(ids).size, ids.length, 'each operationId once');
    for (const [method, path, { parameters = [], responses }] of operations()) {
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => String(name));
      const declared = parameters.filter((parameter) => parameter.in === 'path');
      assert.deepEqual(declared.map(({ name }) => name).toSorted(), inPath.toSorted(), `${method} ${path}`);
      assert.ok(
        declared.every(({ required }) => required === true),
        `${method} ${path}`,
      );
      assert.ok(
        Object.keys(responses).some((status) => /^[23]/.test(status)),
        `${method} ${path}`,
      );
      assert.ok(
        Object.values(responses).every(({ description }) => typeof description === 'string'),
        `${method} ${path}`,
      );
    }
  });

  it('the document lists every path that others build on', () => {
    for (const line of fixedOperations) {
      const parts = line.split(' ');
      const path = parts.pop()!;
      for (const method of parts) {
        assert.ok(document.paths[path]?.[method.toLowerCase()] !== undefined, `${method} ${path}`);
      }
    }
  });

  it('answers have the fields, and lists the filters, that others build on', () => {
    for (const [name, fields] of Object.entries(fixedFields)) {
      const there = propertiesOf(document, document.components.schemas[name]);
      for (const field of fields.split(' ')) assert.ok(there.has(field), `${name} has no ${field}`);
    }
    for (const [path, names] of Object.entries(fixedQueries)) {
      const parameters = document.paths[path]?.['get']?.parameters ?? [];
      const there = new Set(parameters.filter((one) => one.in === 'query').map(({ name }) => name));
      for (const name of names.split(' ')) assert.ok(there.has(name), `${path} takes no ${name}`);
    }
  });

  it('every listed operation is served: none answers that the path or the method isn’t there', async () => {
    for (const [method, path] of operations()) {
      const answer = await fetch(waypost.api + path.replace(/\{\w+\}/g, 'x'), { method: method.toUpperCase() });
      await answer.body?.cancel();
      assert.equal(answer.status, 401, `${method} ${path}`);
    }
  });

  it('nothing is served that isn’t listed: other methods of each path are refused with those that are', async () => {
    for (const path of Object.keys(document.paths)) {
      const url = waypost.api + path.replace(/\{\w+\}/g, 'x');
      const methods = methodsAt(document.paths, path);
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
        if (methods.includes(method)) continue;
        const answer = await fetch(url, { method });
        await answer.body?.cancel();
        assert.equal(answer.status, 405, `${method} ${path}`);
        const allowed = (answer.headers.get('allow') ?? '').split(', ').filter((name) => name !== 'HEAD');
        assert.deepEqual(allowed.toSorted(), methodsAt(document.paths, path), path);
      }
    }
  });

  it('the page to browse it needs nothing from elsewhere', async () => {
    const page = await fetch(`${waypost.api}/api/docs`);
    assert.equal(page.status, 200);
    assert.match(page.headers.get('content-type') ?? '', /^text\/html/);
    const policy = page.headers.get('content-security-policy') ?? '';
    assert.match(policy, /default-src 'none'/);
    assert.doesNotMatch(policy, /https?:|\*|unsafe/);
    const html = await page.text();
    const parts = [...html.matchAll(/(?:src|href)="([^"#]+)"/g)].map(([, link]) => link!);
    assert.ok(parts.length >= 3, parts.join());
    for (const link of parts) {
      assert.match(link, /^\/api\//, 'of our own');
      const part = await fetch(waypost.api + link);
      assert.equal(part.status, 200, link);
      if (/\.(?:js|css)$/.test(link))
        assert.doesNotMatch(await part.text(), /(?:import|from|fetch\(|url\()\s*['"(]?https?:/, link);
    }
  });

  it('metrics have the names that others build on, and count what happens', async () => {
    const ann = await createAccount(waypost.api, waypost.admin, 'ann@example.test');
    const { client } = await SmtpClient.connect(waypost.ports.mx);
    await client.command('EHLO a.test');
    await client.send('c@sender.test', [ann.address], 'Subject: counted\r\n\r\nx\r\n');
    await client.quit();
    await arrived(ann, 'counted');
    await admin.get('/api/v1/queue/counts');
    const answer = await fetch(`http://127.0.0.1:${waypost.ports.ops}/metrics`);
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get('content-type') ?? '', /^text\/plain/);
    const metrics = await waypost.metrics();
    for (const [name, type] of [
      ['waypost_queue_ready', 'gauge'],
      ['waypost_queue_deliveries', 'gauge'],
      ['waypost_queue_oldest_due_seconds', 'gauge'],
      ['waypost_smtp_accepted_total', 'counter'],
      ['waypost_smtp_accept_seconds', 'histogram'],
      ['waypost_mailbox_delivered_total', 'counter'],
      ['waypost_delivery_attempts_total', 'counter'],
      ['waypost_http_request_seconds', 'histogram'],
    ]) {
      assert.ok(metrics.includes(`\n# TYPE ${name} ${type}\n`), `${name} is no ${type}`);
    }
    assert.match(metrics, /^waypost_smtp_accepted_total\{listener="mx"\} 1$/m);
    assert.match(metrics, /^waypost_mailbox_delivered_total(?:\{[^}]*\})? 1$/m);
    assert.match(metrics, /^waypost_queue_deliveries\{state="delivered"\} 1$/m);
    for (const name of metrics.matchAll(/^# TYPE (waypost_\S+) (\S+)$/gm)) {
      if (name[2] === 'counter') assert.match(name[1]!, /_total$/);
    }
    assert.doesNotMatch(metrics, /ann@example|sender\.test/, 'no address is a label');
  });

  it('/livez and /readyz answer, and mail and API are not on that address', async () => {
    const ops = `http://127.0.0.1:${waypost.ports.ops}`;
    assert.equal((await fetch(`${ops}/livez`)).status, 200);
    const ready = await fetch(`${ops}/readyz`);
    assert.equal(ready.status, 200);
    assert.equal(typeof JSON.parse(await ready.text()), 'object');
    for (const path of ['/api/v1/accounts', '/api/openapi.json', '/']) {
      assert.equal((await fetch(ops + path)).status, 404, path);
    }
    assert.equal((await fetch(`${waypost.api}/metrics`)).status, 404);
  });
});

/** Of the path, and of those with a parameter where it has a word. */
function methodsAt(paths: Readonly<Record<string, object>>, path: string): string[] {
  const at = Object.entries(paths).filter(([other]) =>
    new RegExp(`^${other.replace(/\{\w+\}/g, '[^/]+')}$`).test(path.replace(/\{\w+\}/g, 'x')),
  );
  return [...new Set(at.flatMap(([, methods]) => Object.keys(methods).map((name) => name.toUpperCase())))].toSorted();
}

/** Of a schema and of those that it is made of. */
function propertiesOf(document: object, schema: unknown): Set<string> {
  if (typeof schema !== 'object' || schema === null) return new Set();
  if ('$ref' in schema) return propertiesOf(document, resolvePointer(document, String(schema.$ref)));
  const own = 'properties' in schema ? Object.keys(schema.properties ?? {}) : [];
  const parts = 'allOf' in schema && Array.isArray(schema.allOf) ? schema.allOf : [];
  return new Set([...own, ...parts.flatMap((part) => [...propertiesOf(document, part)])]);
}

/** Every `$ref` with where it stands. */
function* references(value: unknown, at = '#'): Generator<[string, string]> {
  if (typeof value !== 'object' || value === null) return;
  for (const [name, inner] of Object.entries(value)) {
    if (name === '$ref' && typeof inner === 'string') yield [at, inner];
    else yield* references(inner, `${at}/${name}`);
  }
}

/** RFC 6901. */
function resolvePointer(root: unknown, pointer: string): unknown {
  let value = root;
  for (const part of pointer.slice(2).split('/')) {
    const key = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
    value =
      typeof value === 'object' && value !== null
        ? Object.entries(value).find(([name]) => name === key)?.[1]
        : undefined;
  }
  return value;
}
