import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodePart } from '../mime/decode-part.ts';
import { parseMessage } from '../mime/parse-message.ts';
import { isSevenBitText } from '../mime/seven-bit.ts';
import { english } from './templates/english.ts';
import { buildDsn, type DsnRequest, MAX_HEADER_BYTES, MAX_RETURNED_BYTES } from './build-dsn.ts';

const ORIGINAL = Buffer.from(
  'From: alice@example.test\r\nSubject: Lunch\r\nMessage-ID: <lunch@example.test>\r\n\r\nAt noon?\r\n--not-a-boundary\r\n.\r\n',
);
const request: DsnRequest = {
  reportId: '0190b0c4-7e0a-7000-8000-000000000001/dsn/1',
  reportingMta: 'mail.example.test',
  from: 'postmaster@example.test',
  to: 'alice@example.test',
  originalEnvelopeId: 'QQ314159',
  arrivedAt: Date.UTC(2024, 6, 2, 9),
  recipients: [
    {
      finalRecipient: 'bob@other.test',
      originalRecipient: 'rfc822;Bob@other.test',
      action: 'failed',
      status: '5.1.1',
      diagnosticCode: '550 5.1.1 <bob@other.test>: no such user',
      remoteMta: 'mx.other.test',
      lastAttemptAt: Date.UTC(2024, 6, 2, 10),
    },
  ],
  ret: 'FULL',
  original: ORIGINAL,
  now: Date.UTC(2024, 6, 2, 10, 30),
};

function read(raw: Buffer) {
  const message = parseMessage(raw);
  const [status, original] = message.attachments;
  assert.ok(status && original);
  const header = (name: string): string | undefined =>
    message.headers.find((field) => field.name.toLowerCase() === name)?.value;
  return {
    message,
    status,
    original,
    header,
    statusText: decodePart(raw, status).toString(),
    originalBytes: decodePart(raw, original),
  };
}

test('a failure is reported to people and to programs, with the message', () => {
  const raw = buildDsn(request);
  assert.ok(isSevenBitText(raw));
  const { message, status, original, header, statusText, originalBytes } = read(raw);
  assert.equal(message.unparsable, false);
  assert.match(header('content-type') ?? '', /^multipart\/report; report-type=delivery-status;/);
  assert.equal(header('auto-submitted'), 'auto-replied');
  assert.deepEqual(message.to, [{ name: null, email: 'alice@example.test' }]);
  assert.deepEqual(message.from, [{ name: 'Mail Delivery System', email: 'postmaster@example.test' }]);
  assert.equal(message.messageId, '0190b0c4-7e0a-7000-8000-000000000001/dsn/1@mail.example.test');
  assert.deepEqual(message.references, ['lunch@example.test']);
  assert.equal(message.sentAt, request.now);
  assert.match(
    message.text,
    /could not be delivered to:\r\n\r\n {2}bob@other\.test\r\n {4}mx\.other\.test said: 550 5\.1\.1/,
  );
  assert.equal(status.type, 'message/delivery-status');
  assert.deepEqual(statusText.split('\r\n'), [
    'Reporting-MTA: dns; mail.example.test',
    'Original-Envelope-Id: QQ314159',
    'Arrival-Date: Tue, 02 Jul 2024 09:00:00 +0000',
    '',
    'Original-Recipient: rfc822; Bob@other.test',
    'Final-Recipient: rfc822; bob@other.test',
    'Action: failed',
    'Status: 5.1.1',
    'Remote-MTA: dns; mx.other.test',
    'Diagnostic-Code: smtp; 550 5.1.1 <bob@other.test>: no such user',
    'Last-Attempt-Date: Tue, 02 Jul 2024 10:00:00 +0000',
    '',
  ]);
  assert.equal(original.type, 'message/rfc822');
  assert.ok(originalBytes.equals(ORIGINAL));
});

test('the same request gives the same bytes', () => {
  assert.ok(buildDsn(request).equals(buildDsn({ ...request })));
});

test('several recipients have a group each', () => {
  const recipients = ['a', 'b', 'c'].map((name) => ({
    finalRecipient: `${name}@x.test`,
    action: 'failed' as const,
    status: '5.0.0',
  }));
  const { statusText } = read(buildDsn({ ...request, recipients }));
  assert.deepEqual(
    [...statusText.matchAll(/Final-Recipient: rfc822; (\w)/g)].map(([, name]) => name),
    ['a', 'b', 'c'],
  );
  assert.equal(statusText.split('\r\n\r\n').length, 4);
});

for (const [name, change] of Object.entries<Partial<DsnRequest>>({
  'RET=HDRS': { ret: 'HDRS' },
  'no failure': { recipients: [{ finalRecipient: 'b@x.test', action: 'delayed', status: '4.4.1' }] },
  'a large message': { original: Buffer.concat([ORIGINAL, Buffer.alloc(MAX_RETURNED_BYTES, 'line\r\n')]) },
  'an 8-bit message': { original: Buffer.concat([ORIGINAL, Buffer.from('gr\u00fcn')]) },
})) {
  test(`with ${name} only the header is returned`, () => {
    const raw = buildDsn({ ...request, ...change });
    assert.ok(isSevenBitText(raw));
    const { original, originalBytes, message } = read(raw);
    assert.equal(original.type, 'text/rfc822-headers');
    assert.equal(
      originalBytes.toString(),
      'From: alice@example.test\r\nSubject: Lunch\r\nMessage-ID: <lunch@example.test>\r\n',
    );
    assert.match(message.text, /header of your message/);
  });
}

test('of a large header whole lines are returned, up to the limit', () => {
  const header = `From: a@x.test\r\n${`X-Filler: ${'y'.repeat(60)}\r\n`.repeat(3000)}`;
  const { originalBytes } = read(buildDsn({ ...request, ret: 'HDRS', original: Buffer.from(`${header}\r\nbody\r\n`) }));
  assert.ok(originalBytes.length <= MAX_HEADER_BYTES && originalBytes.length > MAX_HEADER_BYTES - 100);
  assert.ok(header.startsWith(originalBytes.toString()));
});

test('the words of a report can be others', () => {
  const templates = { ...english, failed: () => ({ subject: 'Leider nicht', paragraphs: [['Nein.']] }) };
  const { message } = read(buildDsn({ ...request, templates }));
  assert.equal(message.subject, 'Leider nicht');
  assert.match(message.text, /\r\n\r\nNein\.\r\n\r\nYour message is attached\.\r\n/);
});

test('a reply that turns the direction of writing around is shown as it reads', () => {
  const [recipient] = request.recipients;
  assert.ok(recipient);
  const hostile = { ...recipient, diagnosticCode: '550 \u202ebob\u2066@x\u2069' };
  assert.match(read(buildDsn({ ...request, recipients: [hostile] })).message.text, /said: 550 bob@x\r/);
});

test('a delay says until when it is tried', () => {
  const recipients = [
    { finalRecipient: 'b@x.test', action: 'delayed' as const, status: '4.4.1', willRetryUntil: Date.UTC(2024, 6, 7) },
  ];
  const { message, statusText } = read(buildDsn({ ...request, recipients }));
  assert.equal(message.subject, 'Your message is delayed');
  assert.match(statusText, /Will-Retry-Until: Sun, 07 Jul 2024 00:00:00 \+0000/);
  assert.match(message.text, /tried until Sun, 07 Jul 2024/);
});

test('addresses outside ASCII are written in ASCII for old readers and in UTF-8 for new ones', () => {
  const recipients = [
    {
      finalRecipient: 'j\u00fcrg@x.test',
      action: 'failed' as const,
      status: '5.1.1',
      diagnosticCode: '550 k\u00f6nnen nicht',
    },
  ];
  const old = buildDsn({ ...request, recipients });
  assert.ok(isSevenBitText(old));
  assert.match(
    read(old).statusText,
    /Final-Recipient: utf-8; j\\x\{FC\}rg@x\.test[^]*Diagnostic-Code: smtp; 550 k\?nnen nicht/,
  );
  assert.match(read(old).message.text, /j\u00fcrg@x\.test/);
  const original = Buffer.concat([ORIGINAL, Buffer.from('gr\u00fcn')]);
  const global = read(buildDsn({ ...request, to: 'j\u00f6@example.test', recipients, original }));
  assert.deepEqual([global.status.type, global.original.type], ['message/global-delivery-status', 'message/global']);
  assert.match(global.statusText, /Final-Recipient: utf-8; j\u00fcrg@x\.test[^]*550 k\u00f6nnen/);
  assert.ok(global.originalBytes.equals(original));
  assert.deepEqual(global.message.to, [{ name: null, email: 'j\u00f6@example.test' }]);
});

test('an original made to break out of its part stays in it', () => {
  const first = buildDsn(request);
  const boundary = /boundary="([^"]+)"/.exec(first.toString())?.[1] ?? '';
  const original = Buffer.from(
    `Subject: x\r\n\r\n--${boundary}\r\nContent-Type: text/html\r\n\r\nevil\r\n--${boundary}--\r\n`,
  );
  const { message, originalBytes } = read(buildDsn({ ...request, original }));
  assert.equal(message.html, undefined);
  assert.ok(originalBytes.equals(original));
});

test('nothing that a remote server or a sender said makes a report that breaks the rules', () => {
  const said = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 100 }),
    fc.constantFrom('x'.repeat(5000), 'a\r\nBcc: b@x.test', '\r\n\r\n--', 'Action: delivered\r\n'),
  );
  fc.assert(
    fc.property(
      said,
      said,
      said,
      said,
      fc.uint8Array({ maxLength: 200 }),
      (diagnosticCode, remoteMta, address, envelopeId, original) => {
        const recipients = [
          {
            finalRecipient: address,
            originalRecipient: address,
            action: 'failed' as const,
            status: remoteMta,
            diagnosticCode,
            remoteMta,
          },
        ];
        const raw = buildDsn({ ...request, recipients, originalEnvelopeId: envelopeId, original });
        assert.ok(isSevenBitText(raw));
        const { message, statusText } = read(raw);
        assert.equal(message.attachments.length, 2);
        assert.equal(message.unparsable, false);
        assert.deepEqual(message.bcc, []);
        assert.equal([...statusText.matchAll(/^Action: /gm)].length, 1);
        assert.match(statusText, /^Status: 5\.0\.0\r$/m);
      },
    ),
    { numRuns: 300, examples: [['', '', '', '', Uint8Array.of(13)]] },
  );
});
