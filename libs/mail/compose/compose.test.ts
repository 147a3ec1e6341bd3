import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodePart } from '../mime/decode-part.ts';
import { parseMessage } from '../mime/parse-message.ts';
import { isSevenBitText } from '../mime/seven-bit.ts';
import { ComposeError } from './check-draft.ts';
import { compose, type Draft } from './compose.ts';

const alice = { name: 'Alice', email: 'alice@example.test' };
const draft: Draft = {
  from: alice,
  to: [{ name: null, email: 'bob@example.test' }],
  date: Date.UTC(2024, 6, 2, 10),
  hostname: 'mail.example.test',
};
const field = (raw: Buffer, name: string): string | undefined =>
  parseMessage(raw).headers.find((header) => header.name.toLowerCase() === name)?.value;

test('a plain draft becomes a message with all it needs', async () => {
  const { raw, messageId, envelopeRecipients, smtputf8 } = await compose({
    ...draft,
    subject: 'Hello',
    text: 'Hi Bob\n\n.\nAlice\n',
  });
  const message = parseMessage(raw);
  assert.deepEqual(message.from, [alice]);
  assert.deepEqual(message.to, [{ name: null, email: 'bob@example.test' }]);
  assert.equal(message.subject, 'Hello');
  assert.equal(message.sentAt, draft.date);
  assert.equal(message.text.trimEnd(), 'Hi Bob\r\n\r\n.\r\nAlice');
  assert.match(messageId, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}@mail\.example\.test$/);
  assert.equal(message.messageId, messageId);
  assert.deepEqual(envelopeRecipients, ['bob@example.test']);
  assert.equal(smtputf8, false);
  assert.equal(field(raw, 'mime-version'), '1.0');
});

test('blind recipients are in the envelope, and in the bytes only of a copy that keeps them', async () => {
  const blind: Draft = {
    ...draft,
    cc: [alice],
    bcc: [
      { name: 'Eve', email: 'eve@example.test' },
      { name: null, email: 'BOB@example.test' },
    ],
  };
  const sent = await compose(blind);
  assert.doesNotMatch(sent.raw.toString(), /bcc|eve/i);
  assert.deepEqual(sent.envelopeRecipients.map((email) => email.toLowerCase()).sort(), [
    'alice@example.test',
    'bob@example.test',
    'eve@example.test',
  ]);
  const kept = await compose({ ...blind, keepBcc: true });
  assert.equal(parseMessage(kept.raw).bcc[0]?.email, 'eve@example.test');
});

test('text, HTML and files come back as they went in', async () => {
  const content = Buffer.from(Array.from({ length: 1000 }, (_, i) => (i * 7) % 256));
  const names = [
    'picture.png',
    '\u00dcbersicht der Pl\u00e4ne.pdf',
    `${'long '.repeat(40)}.txt`,
    'with "quotes"; and = signs.txt',
  ];
  const { raw } = await compose({
    ...draft,
    subject:
      'Gr\u00fc\u00dfe \u2709 und viele weitere W\u00f6rter, damit die Zeile gefaltet werden mu\u00df: \u65e5\u672c\u8a9e',
    from: { name: 'J\u00fcrg "der" M\u00fcller', email: 'j@b\u00fccher.test' },
    text: `gr\u00fcn\n${'x'.repeat(3000)}\n`,
    html: '<p>gr\u00fcn</p>',
    attachments: names.map((name) => ({ name, type: 'application/octet-stream', content })),
    inReplyTo: 'root@example.test',
    references: ['<root@example.test>', 'other@example.test'],
  });
  assert.ok(isSevenBitText(raw));
  const message = parseMessage(raw);
  assert.equal(
    message.subject,
    'Gr\u00fc\u00dfe \u2709 und viele weitere W\u00f6rter, damit die Zeile gefaltet werden mu\u00df: \u65e5\u672c\u8a9e',
  );
  assert.deepEqual(message.from, [{ name: 'J\u00fcrg "der" M\u00fcller', email: 'j@xn--bcher-kva.test' }]);
  assert.equal(message.text.trimEnd(), `gr\u00fcn\r\n${'x'.repeat(3000)}`);
  assert.equal(message.html?.trimEnd(), '<p>gr\u00fcn</p>');
  assert.deepEqual(
    message.attachments.map(({ name }) => name),
    names,
  );
  for (const attachment of message.attachments) assert.ok(decodePart(raw, attachment).equals(content));
  assert.deepEqual(
    [message.inReplyTo, message.references],
    [['root@example.test'], ['root@example.test', 'other@example.test']],
  );
});

test('a file with a content id stands inside the HTML', async () => {
  const { raw } = await compose({
    ...draft,
    html: '<img src="cid:logo@x">',
    attachments: [{ name: 'l.png', type: 'image/png', content: Buffer.from('x'), cid: 'logo@x' }],
  });
  const message = parseMessage(raw);
  assert.deepEqual(
    message.attachments.map(({ cid, inline }) => [cid, inline]),
    [['logo@x', true]],
  );
  assert.equal(message.hasAttachment, false);
});

test('an attached message that is not 7-bit goes as bytes, another one as a message', async () => {
  const files = ['Subject: a\r\n\r\nplain\r\n', 'Subject: a\r\n\r\ngr\u00fcn\r\n'].map((text) => ({
    name: 'm.eml',
    type: 'message/rfc822',
    content: Buffer.from(text),
  }));
  const { raw } = await compose({ ...draft, attachments: files });
  assert.ok(isSevenBitText(raw));
  const { attachments } = parseMessage(raw);
  assert.deepEqual(
    attachments.map(({ type }) => type),
    ['message/rfc822', 'application/octet-stream'],
  );
  assert.ok(decodePart(raw, attachments[1]!).equals(files[1]!.content));
});

test('a local part outside ASCII makes the message need SMTPUTF8', async () => {
  const { raw, smtputf8 } = await compose({ ...draft, to: [{ name: null, email: 'j\u00fcrg@example.test' }] });
  assert.equal(smtputf8, true);
  assert.deepEqual(parseMessage(raw).to, [{ name: null, email: 'j\u00fcrg@example.test' }]);
});

const INJECTED = 'x\r\nBcc: victim@example.test';
const injections: [string, Draft][] = [
  ['subject', { ...draft, subject: INJECTED }],
  ['subject', { ...draft, subject: 'x\nX-Evil: 1' }],
  ['subject', { ...draft, subject: 'x\u0000' }],
  ['from.name', { ...draft, from: { name: INJECTED, email: alice.email } }],
  ['from.email', { ...draft, from: { name: null, email: `a@example.test\r\nBcc: b@example.test` } }],
  ['to[0].name', { ...draft, to: [{ name: INJECTED, email: alice.email }] }],
  ['to[1].email', { ...draft, to: [alice, { name: null, email: 'a@x.test, b@x.test' }] }],
  ['cc[0].email', { ...draft, cc: [{ name: null, email: '"a\r\nb"@x.test' }] }],
  ['bcc[0].email', { ...draft, bcc: [{ name: null, email: 'nobody' }] }],
  ['replyTo[0].name', { ...draft, replyTo: [{ name: 'x\ry', email: alice.email }] }],
  ['messageId', { ...draft, messageId: 'a@b>\r\nX: y' }],
  ['inReplyTo', { ...draft, inReplyTo: 'a@b> <c@d' }],
  ['references[1]', { ...draft, references: ['a@b', 'a\nb'] }],
  ['attachments[0].name', { ...draft, attachments: [{ name: INJECTED, type: 'a/b', content: Buffer.alloc(0) }] }],
  ['attachments[0].type', { ...draft, attachments: [{ name: 'x', type: 'a/b\r\nX: y', content: Buffer.alloc(0) }] }],
  [
    'attachments[0].type',
    { ...draft, attachments: [{ name: 'x', type: 'multipart/mixed', content: Buffer.alloc(0) }] },
  ],
  [
    'attachments[0].cid',
    { ...draft, attachments: [{ name: 'x', type: 'a/b', content: Buffer.alloc(0), cid: 'a>\r\nb' }] },
  ],
  ['hostname', { ...draft, hostname: 'a b' }],
  ['date', { ...draft, date: Number.NaN }],
];
for (const [name, bad] of injections) {
  test(`a ${name} that can not be written is refused by its name`, async () => {
    await assert.rejects(compose(bad), (error) => error instanceof ComposeError && error.field === name);
  });
}

test('whatever is written, the message is 7-bit with short lines, and says what was said', async () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 200 });
  const long = fc.oneof(
    text,
    fc.constantFrom(
      'x'.repeat(2000),
      'w '.repeat(500),
      '\u00fc'.repeat(1200),
      '\u{1f4e8}'.repeat(300),
      'From me\r\n.\r\n..\r\n--x\r\n',
      '=?utf-8?q?a?=',
    ),
  );
  await fc.assert(
    fc.asyncProperty(long, long, long, text, async (subject, plain, html, name) => {
      const writable = (value: string): string => value.replace(/[\p{Cc}]/gu, '');
      const made = await compose({
        ...draft,
        subject: writable(subject),
        text: plain,
        html,
        from: { name: writable(name).slice(0, 100).toWellFormed(), email: alice.email },
      });
      assert.ok(isSevenBitText(made.raw));
      const message = parseMessage(made.raw);
      assert.deepEqual(
        [message.from[0]?.email, message.from.length, message.to.length, message.unparsable],
        [alice.email, 1, 1, false],
      );
      assert.equal(message.headers.filter((header) => /^(bcc|x-)/i.test(header.name)).length, 0);
      if (plain !== '') assert.equal(message.text.trimEnd(), plain.replace(/\r\n?|\n/g, '\r\n').trimEnd());
    }),
    { numRuns: 60 },
  );
});

test('a subject comes back as it was, however long or odd', async () => {
  for (const subject of [
    'x'.repeat(900),
    '\u00fc'.repeat(400),
    'a  b',
    '=?utf-8?q?not=20encoded?=',
    '"quoted", (comment) <x@y>',
    'word '.repeat(150).trim(),
    '\u65e5'.repeat(300),
  ])
    assert.equal(parseMessage((await compose({ ...draft, subject })).raw).subject, subject);
});
