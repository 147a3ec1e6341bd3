import fc from 'fast-check';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeReply, readQuery } from '../../../tests/support/dns-server/encode.ts';
import { MalformedDnsMessage } from './malformed.ts';
import { encodeQuery, parseReply } from './message.ts';
import { encodeName, normaliseName, readName } from './name.ts';

/** RFC 1035 by hand: example.com MX → 10 mail.example.com and 20 by pointers, with an OPT record behind. */
const mxReply = Buffer.from(
  [
    '1234 81a0 0001 0002 0000 0001',
    '07 6578616d706c65 03 636f6d 00 000f 0001',
    'c00c 000f 0001 00000e10 0009 000a 04 6d61696c c00c',
    'c00c 000f 0001 ffffffff 0004 0014 c014',
    '00 0029 04d0 00000000 0000',
  ]
    .join('')
    .replaceAll(' ', ''),
  'hex',
);

test('a reply of known octets is read: pointers, flags, a TTL with the highest bit', () => {
  const reply = parseReply(mxReply);
  assert.equal(reply.id, 0x1234);
  assert.equal(reply.authentic, true);
  assert.equal(reply.truncated, false);
  assert.deepEqual(reply.question, { name: 'example.com', type: 15 });
  assert.deepEqual(reply.answers, [
    { name: 'example.com', ttlSeconds: 3600, data: { type: 'MX', preference: 10, exchange: 'mail.example.com' } },
    { name: 'example.com', ttlSeconds: 0, data: { type: 'MX', preference: 20, exchange: 'com' } },
  ]);
});

test('a query asks one question with recursion, EDNS of 1232 octets and DO', () => {
  const query = encodeQuery({ name: 'a.test', type: 'TLSA' }, { id: 0xabcd, edns: true, dnssec: true });
  assert.equal(query.toString('hex'), 'abcd0120000100000000000101610474657374000034000100002904d0000080000000');
  const plain = encodeQuery({ name: 'a.test', type: 'A' }, { id: 1, edns: false, dnssec: false });
  assert.equal(plain.toString('hex'), '00010100000100000000000001610474657374000001' + '0001');
});

/** What is wrong, and the reply. */
const malformed: [string, Buffer][] = [
  ['nothing', Buffer.alloc(0)],
  ['a header without its question', mxReply.subarray(0, 12)],
  ['a query', with16(2, 0x0100)],
  ['two questions', with16(4, 2)],
  ['a pointer to itself', with16(29, 0xc01d)],
  ['a pointer ahead', with16(29, 0xc03f)],
  ['more records than there are', with16(6, 9)],
  ['data that runs past the end', with16(39, 0xffff)],
  ['a name longer than its data', with16(39, 8)],
  ['a label of a reserved kind', with16(29, 0x8000)],
];

for (const [what, message] of malformed) {
  test(`no message: ${what}`, () => {
    assert.throws(() => parseReply(message), MalformedDnsMessage);
  });
}

for (let end = 0; end < mxReply.length; end += 5) {
  test(`no message: cut off at ${end}`, () => {
    assert.throws(() => parseReply(mxReply.subarray(0, end)), MalformedDnsMessage);
  });
}

test('pointers that go in circles or far end at once', () => {
  const ladder = Buffer.alloc(16_000);
  for (let at = 2; at + 2 <= ladder.length; at += 2) ladder.writeUInt16BE(0xc000 | (at - 2), at);
  assert.equal(readName(ladder, 15_998).name, '');
  assert.throws(() => readName(Buffer.from('c002c000', 'hex'), 0), MalformedDnsMessage);
  const long = Buffer.concat(
    Array.from({ length: 5 }, () => Buffer.concat([Buffer.from([63]), Buffer.alloc(63, 0x61)])),
  );
  assert.throws(() => readName(long, 0), /255/);
});

test('octets of a label that no host name has can’t make it look like another name', () => {
  const label = (...octets: string[]): Buffer =>
    Buffer.concat(octets.map((text) => Buffer.concat([Buffer.from([text.length]), Buffer.from(text, 'latin1')])));
  const wire = Buffer.concat([label('mx.good', 'A\xe9\0_-', 'test'), Buffer.from([0])]);
  assert.equal(readName(wire, 0).name, 'mx\\046good.a\\233\\000_-.test');
});

test('random octets, and a good reply with some of them changed, are a reply or a malformed one, in short time', () => {
  const changes = fc.array(fc.tuple(fc.nat(mxReply.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 });
  const messages = fc.oneof(
    fc.uint8Array({ maxLength: 600 }).map((octets) => Buffer.from(octets)),
    changes.map((list) => {
      const message = Buffer.from(mxReply);
      for (const [at, octet] of list) message[at] = octet;
      return message;
    }),
  );
  const property = fc.property(messages, (message) => {
    try {
      const { answers, authority } = parseReply(message);
      assert.ok(answers.length + authority.length <= message.length / 11);
    } catch (error) {
      assert.ok(error instanceof MalformedDnsMessage, String(error));
    }
  });
  fc.assert(property, { numRuns: 3000 });
});

test('the longest message, full of records whose names are all pointers, takes no time', () => {
  const record = Buffer.concat([Buffer.from('c00c000f0001000000000004000ac00c', 'hex')]);
  const count = Math.floor((65_535 - 29) / record.length);
  const message = Buffer.concat([mxReply.subarray(0, 29), ...Array<Buffer>(count).fill(record)]);
  message.writeUInt16BE(count, 6);
  message.writeUInt16BE(0, 10);
  const startedMs = performance.now();
  assert.equal(parseReply(message).answers.length, count);
  assert.ok(performance.now() - startedMs < 1000);
});

test('what is asked is an absolute name of A-labels, or nothing', () => {
  assert.equal(normaliseName('Bücher.Example.'), 'xn--bcher-kva.example');
  assert.equal(normaliseName('_25._tcp.MX.test'), '_25._tcp.mx.test');
  for (const bad of [
    '',
    '.',
    'a..b',
    `${'a'.repeat(64)}.test`,
    'a b.test',
    'ü%2e.test',
    'a\\046b',
    `${'a.'.repeat(130)}b`,
    'ü'.repeat(10_000),
  ])
    assert.equal(normaliseName(bad), undefined, bad);
});

test('a name that is written is read again', () => {
  const label = fc.stringMatching(/^[a-z0-9_-]{1,63}$/);
  const property = fc.property(fc.array(label, { maxLength: 3 }), (labels) => {
    const name = labels.join('.');
    assert.equal(readName(encodeName(name), 0).name, name);
  });
  fc.assert(property, { numRuns: 300 });
});

test('the tests’ own server writes what is read here, and reads what is written here', () => {
  const query = readQuery(encodeQuery({ name: 'x.test', type: 'TXT' }, { id: 7, edns: true, dnssec: true }));
  assert.deepEqual(
    { ...query, head: undefined },
    { id: 7, name: 'x.test', type: 'TXT', edns: true, dnssec: true, head: undefined },
  );
  const answers = [{ name: 'x.test', type: 'TXT' as const, value: 'a'.repeat(300), ttlSeconds: 5 }];
  const said = { answers, exists: true, authentic: true, delayMs: 0, fault: undefined };
  const reply = parseReply(encodeReply(query, said, { rcode: 0, negativeTtl: 1 }));
  assert.deepEqual(reply.answers, [{ name: 'x.test', ttlSeconds: 5, data: { type: 'TXT', text: 'a'.repeat(300) } }]);
  assert.equal(reply.authentic, true);
});

function with16(at: number, value: number): Buffer {
  const message = Buffer.from(mxReply);
  message.writeUInt16BE(value, at);
  return message;
}
