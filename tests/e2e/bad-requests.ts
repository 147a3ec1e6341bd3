import { gzipSync } from 'node:zlib';
import { mine } from '../support/reading.ts';

/**
 * What is asked, the request, the answer that is due to it (status and code), and what else the request has. Paths and bodies may name {id} (a message),
 * {foreign} (another account's message), {inbox}, {foreignBox}, {ben} (another account), {admin}, {cursor} (of the list of accounts).
 */
export type BadRequest = readonly [what: string, request: string, due: string, more?: BadRequestDetails];

export interface BadRequestDetails {
  /** Default: a user. */
  as?: 'admin' | 'nobody';
  headers?: Readonly<Record<string, string>>;
  /** JSON, except a text or bytes: those are sent as they are. */
  body?: unknown;
}

/** Looks like an id of ours. */
const madeUp = '01a00000-0000-7000-8000-000000000000';
const messages = `${mine}/messages`;
const json = { 'content-type': 'application/json' };
const toBen = { to: [{ email: 'ben@example.test' }] };
const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

/** Bodies and queries. */
export const badContent: readonly BadRequest[] = [
  // Bodies
  ['truncated JSON', `POST ${messages}`, '400 malformedJson', { headers: json, body: '{"subject":"cut' }],
  ['an empty body', `POST ${messages}`, '400 invalidRequest', { headers: json, body: '' }],
  ['no JSON at all', `POST ${messages}`, '400 malformedJson', { headers: json, body: 'subject=hello' }],
  ['JSON of the wrong type', `POST ${messages}`, '400 invalidRequest', { body: [] }],
  ['a JSON null', `POST ${messages}`, '400 invalidRequest', { headers: json, body: 'null' }],
  [
    'broken UTF-8 where an address is due',
    `POST ${messages}`,
    '400 malformedJson',
    { headers: json, body: Buffer.from('{"to":[{"email":"\xff\xfe@example.test"}]}', 'latin1') },
  ],
  [
    'JSON nested 100,000 deep',
    `POST ${messages}`,
    '400 malformedJson',
    { headers: json, body: '['.repeat(100_000) + ']'.repeat(100_000) },
  ],
  ['a number for a text', `POST ${messages}`, '400 invalidRequest', { body: { subject: 7 } }],
  ['a recipient without an address', `POST ${messages}`, '400 invalidRequest', { body: { to: [{ name: 'Ben' }] } }],
  ['an unknown field', `POST ${messages}`, '400 invalidRequest', { body: { to: [], subjekt: 'typo' } }],
  [
    'a field named __proto__',
    `POST ${messages}`,
    '400 invalidRequest',
    { headers: json, body: '{"__proto__":{"admin":true},"draft":true}' },
  ],
  [
    '1,001 recipients',
    `POST ${messages}`,
    '400 invalidRequest',
    { body: { to: Array.from({ length: 1_001 }, () => ({ email: 'ben@example.test' })) } },
  ],
  [
    'a line end in the subject',
    `POST ${messages}`,
    '400 invalidRequest',
    { body: { ...toBen, subject: 'a\r\nBcc: all@example.test' } },
  ],
  [
    'base64 that is none',
    `POST ${messages}`,
    '400 invalidRequest',
    { body: { ...toBen, attachments: [{ name: 'x', content: 'a?b=' }] } },
  ],
  ['a send time that is none', `POST ${messages}`, '400 invalidRequest', { body: { ...toBen, sendAt: 'tomorrow' } }],
  [
    'a send time in 500 years',
    `POST ${messages}`,
    '422 sendAtTooFar',
    { body: { ...toBen, sendAt: '2500-01-01T00:00:00Z' } },
  ],
  [
    'a form',
    `POST ${messages}`,
    '415 unsupportedMediaType',
    { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'subject=hello' },
  ],
  ['no content type', `POST ${messages}`, '415 unsupportedMediaType', { headers: { 'content-type': '' }, body: '{}' }],
  [
    'a charset that is not UTF-8',
    `POST ${messages}`,
    '415 unsupportedMediaType',
    { headers: { 'content-type': 'application/json; charset=klingon' }, body: '{}' },
  ],
  [
    'a gzip body',
    `POST ${messages}`,
    '415 unsupportedMediaType',
    { headers: { ...json, 'content-encoding': 'gzip' }, body: gzipSync('{"subject":"x"}') },
  ],
  [
    'a body past the limit of its path',
    `POST ${mine}/mailboxes`,
    '413 bodyTooLarge',
    { body: { name: 'x'.repeat(1_100_000) } },
  ],
  [
    'an Idempotency-Key of 300 characters',
    `POST ${messages}`,
    '400 invalidRequest',
    { headers: { 'idempotency-key': 'k'.repeat(300) }, body: toBen },
  ],
  // Queries
  ['a cursor made up', `GET ${messages}?cursor=made-up`, '400 invalidCursor'],
  ['a cursor of another list', `GET ${messages}?cursor={cursor}`, '400 invalidCursor'],
  [
    'a cursor with SQL in it',
    `GET ${messages}?cursor=${Buffer.from(`{"receivedAt":1,"id":"' OR 1=1 --","x":1}`).toString('base64url')}`,
    '400 invalidCursor',
  ],
  [
    'a cursor of 7,000 characters',
    `GET /api/v1/accounts?cursor=${'a'.repeat(7_000)}`,
    '400 invalidRequest',
    { as: 'admin' },
  ],
  ['a limit of a billion', `GET ${messages}?limit=1000000000`, '400 invalidRequest'],
  ['a negative limit', `GET ${messages}?limit=-1`, '400 invalidRequest'],
  ['a limit of zero', `GET ${messages}?limit=0`, '400 invalidRequest'],
  ['a limit that is no number', `GET ${messages}?limit=many`, '400 invalidRequest'],
  ['a limit with a fraction', `GET ${messages}?limit=1.5`, '400 invalidRequest'],
  ['a parameter given twice', `GET ${messages}?limit=1&limit=2`, '400 invalidRequest'],
  ['a parameter that is not there', `GET ${messages}?mailboks=inbox`, '400 invalidRequest'],
  ['a date that is none', `GET ${messages}?since=2026-13-45`, '400 invalidRequest'],
  ['a flag that is none', `GET ${messages}?unread=perhaps`, '400 invalidRequest'],
  ['a search of 600 characters', `GET ${messages}?text=${'a'.repeat(600)}`, '400 invalidRequest'],
  ['a mailbox that is not there', `GET ${messages}?mailbox=${madeUp}`, '404 notFound'],
  ['a state made up', `GET ${mine}/changes?since=made-up`, '410 cannotCalculateChanges'],
  ['a state of the future', `GET ${mine}/changes?since=1.999999999`, '410 cannotCalculateChanges'],
  ['no state', `GET ${mine}/changes`, '400 invalidRequest'],
];

/** Ids, paths, rights and changes. */
export const badTargets: readonly BadRequest[] = [
  // Ids and paths
  ['an id made up', `GET ${messages}/${madeUp}`, '404 notFound'],
  ['an id that is none', `GET ${messages}/1`, '404 notFound'],
  ['an id with SQL in it', `GET ${messages}/%27%20OR%201%3D1%20--`, '404 notFound'],
  ['the message of another', `GET ${messages}/{foreign}`, '404 notFound'],
  ['the account of another', 'GET /api/v1/accounts/{ben}/messages', '404 notFound'],
  [
    'a message into the mailbox of another',
    `PATCH ${messages}/{id}`,
    '404 notFound',
    { body: { mailboxIds: { '{foreignBox}': true } } },
  ],
  ['an attachment that is not there', `GET ${messages}/{id}/attachments/7`, '404 notFound'],
  ['a negative attachment', `GET ${messages}/{id}/attachments/-1`, '400 invalidRequest'],
  ['an attachment that is no number', `GET ${messages}/{id}/attachments/first`, '400 invalidRequest'],
  ['an encoded slash in an id', `GET ${messages}/..%2f..%2fetc%2fpasswd`, '404 notFound'],
  ['encoded dots', 'GET /api/v1/accounts/%2e%2e%2f%2e%2e%2fetc%2fpasswd', '404 notFound'],
  ['a null in an id', `GET ${messages}/%00`, '404 notFound'],
  ['percent signs that encode nothing', `GET ${messages}/%zz`, '400 malformedUrl'],
  ['broken UTF-8 in a path', `GET ${messages}/%ff%fe`, '400 malformedUrl'],
  ['a very long id', `GET ${messages}/${'a'.repeat(2_000)}`, '400 invalidRequest'],
  ['a very long path', `GET /api/v1/${'x'.repeat(9_000)}`, '414 uriTooLong'],
  ['a path that is not there', 'GET /api/v1/nothing', '404 notFound'],
  ['a path in other letters', 'GET /API/v1/accounts/me/messages', '404 notFound'],
  ['a method that the path does not have', `PUT ${messages}`, '405 methodNotAllowed'],
  ['a method that nothing has', `PROPFIND ${messages}`, '405 methodNotAllowed'],
  // Rights
  ['no credentials', `GET ${messages}`, '401 unauthenticated', { as: 'nobody' }],
  [
    'Basic without a colon',
    `GET ${messages}`,
    '401 unauthenticated',
    { as: 'nobody', headers: { authorization: basic('annexample') } },
  ],
  [
    'Basic that is no base64',
    `GET ${messages}`,
    '401 unauthenticated',
    { as: 'nobody', headers: { authorization: 'Basic ???' } },
  ],
  [
    'Basic with a password of 5,000 characters',
    `GET ${messages}`,
    '401 unauthenticated',
    { as: 'nobody', headers: { authorization: basic(`ann@example.test:${'p'.repeat(5_000)}`) } },
  ],
  [
    'Basic with nulls',
    `GET ${messages}`,
    '401 unauthenticated',
    { as: 'nobody', headers: { authorization: basic('ann@example.test\0:\0') } },
  ],
  [
    'a token made up',
    `GET ${messages}`,
    '401 unauthenticated',
    { as: 'nobody', headers: { authorization: 'Bearer wp_made_up' } },
  ],
  ['an empty token', `GET ${messages}`, '401 unauthenticated', { as: 'nobody', headers: { authorization: 'Bearer ' } }],
  [
    'another scheme',
    `GET ${messages}`,
    '401 unauthenticated',
    { as: 'nobody', headers: { authorization: 'Digest username="ann"' } },
  ],
  ['the accounts, not as administrator', 'GET /api/v1/accounts', '403 forbidden'],
  ['making oneself administrator', `PATCH ${mine}`, '403 forbidden', { body: { admin: true } }],
  [
    'a new password with the wrong one',
    `PATCH ${mine}`,
    '403 forbidden',
    { body: { password: 'a new password', currentPassword: 'wrong' } },
  ],
  // Changes
  [
    'a keyword with a space',
    `PATCH ${messages}/{id}`,
    '400 invalidRequest',
    { body: { keywords: { 'two words': true } } },
  ],
  ['a keyword that is empty', `PATCH ${messages}/{id}`, '400 invalidRequest', { body: { keywords: { '': true } } }],
  ['a keyword with a value', `PATCH ${messages}/{id}`, '400 invalidRequest', { body: { keywords: { $seen: 'yes' } } }],
  ['a message in no mailbox', `PATCH ${messages}/{id}`, '409 noMailbox', { body: { mailboxIds: { '{inbox}': null } } }],
  [
    'If-Match with a version that is past',
    `PATCH ${messages}/{id}`,
    '412 preconditionFailed',
    { headers: { 'if-match': '"0"' }, body: { keywords: {} } },
  ],
  [
    'If-Match that is none',
    `PATCH ${messages}/{id}`,
    '412 preconditionFailed',
    { headers: { 'if-match': 'yes' }, body: { keywords: {} } },
  ],
  ['a mailbox without a name', `POST ${mine}/mailboxes`, '400 invalidRequest', { body: { name: '' } }],
  [
    'a mailbox name with control characters',
    `POST ${mine}/mailboxes`,
    '409 mailboxName',
    { body: { name: 'a\u0007b' } },
  ],
  [
    'a mailbox name of half a character',
    `POST ${mine}/mailboxes`,
    '409 mailboxName',
    { headers: json, body: '{"name":"\\ud800"}' },
  ],
  [
    'a mailbox inside one that is not there',
    `POST ${mine}/mailboxes`,
    '404 notFound',
    { body: { name: 'x', parentId: madeUp } },
  ],
  ['deleting the inbox', `DELETE ${mine}/mailboxes/{inbox}`, '409 mailboxHasRole'],
  // Administration
  [
    'an account that is there',
    'POST /api/v1/accounts',
    '409 alreadyExists',
    { as: 'admin', body: { address: 'ANN@example.test', password: 'long enough 1' } },
  ],
  [
    'an account of another domain',
    'POST /api/v1/accounts',
    '409 noDomain',
    { as: 'admin', body: { address: 'x@elsewhere.test', password: 'long enough 1' } },
  ],
  [
    'an address that is none',
    'POST /api/v1/accounts',
    '400 invalidRequest',
    { as: 'admin', body: { address: 'x y@@example.test', password: 'long enough 1' } },
  ],
  [
    'a short password',
    'POST /api/v1/accounts',
    '400 invalidRequest',
    { as: 'admin', body: { address: 'x@example.test', password: 'short' } },
  ],
  [
    'a quota below zero',
    'PATCH /api/v1/accounts/{ben}',
    '400 invalidRequest',
    { as: 'admin', body: { quota: { bytes: -1, messages: null } } },
  ],
  [
    'an alias of itself',
    'POST /api/v1/aliases',
    '409 aliasLoop',
    { as: 'admin', body: { address: 'loop@example.test', targets: ['loop@example.test'] } },
  ],
  [
    'an alias without targets',
    'POST /api/v1/aliases',
    '400 invalidRequest',
    { as: 'admin', body: { address: 'none@example.test', targets: [] } },
  ],
  ['a domain that is none', 'POST /api/v1/domains', '400 invalidRequest', { as: 'admin', body: { name: 'no domain' } }],
  ['a domain in use', 'DELETE /api/v1/domains/example.test', '409 domainInUse', { as: 'admin' }],
  ['a scope that is not there', 'POST /api/v1/tokens', '400 invalidRequest', { body: { name: 'x', scopes: ['root'] } }],
  [
    'a token of the past',
    'POST /api/v1/tokens',
    '400 invalidRequest',
    { body: { name: 'x', scopes: ['mail:read'], expiresAt: '2001-01-01T00:00:00Z' } },
  ],
  ['the last administrator', 'DELETE /api/v1/accounts/{admin}', '409 lastAdministrator', { as: 'admin' }],
  [
    'a state of the queue that is none',
    'GET /api/v1/queue/deliveries?state=lost',
    '400 invalidRequest',
    { as: 'admin' },
  ],
  [
    'a target that is not there',
    'POST /api/v1/aliases',
    '409 unknownTarget',
    { as: 'admin', body: { address: 'to.nobody@example.test', targets: ['nobody@example.test'] } },
  ],
  [
    'a line end in a name',
    `POST ${messages}`,
    '400 invalidRequest',
    { body: { to: [{ name: 'a\nBcc: b', email: 'ben@example.test' }] } },
  ],
  [
    'a line end in a file name',
    `POST ${messages}`,
    '400 invalidRequest',
    { body: { ...toBen, attachments: [{ name: 'a\r\nb', content: '' }] } },
  ],
  [
    'a type of an attachment that is none',
    `POST ${messages}`,
    '400 invalidRequest',
    { body: { ...toBen, attachments: [{ name: 'a', type: 'a/b\r\nX: y', content: '' }] } },
  ],
  [
    'a draft to no address',
    `POST ${messages}`,
    '400 invalidRequest',
    { body: { to: [{ email: 'not an address' }], draft: true } },
  ],
  [
    'a Message-ID to answer with a line end',
    `POST ${messages}`,
    '400 invalidRequest',
    { body: { ...toBen, inReplyTo: 'a@b\r\nX: y' } },
  ],
  ['a delivery made up', `GET /api/v1/queue/deliveries/${madeUp}.0`, '404 notFound', { as: 'admin' }],
  ['a delivery that is none', 'GET /api/v1/queue/deliveries/7', '400 invalidRequest', { as: 'admin' }],
];
