import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Hop, receivedLine, withProtocol } from './received.ts';

const hop: Hop = {
  protocol: 'ESMTP',
  helo: 'client.example',
  remoteAddress: '192.0.2.7',
  hostname: 'mail.example.test',
  messageId: '0190a000-0000-7000-8000-000000000001',
  authenticated: false,
  smtputf8: false,
  recipient: 'alice@example.test',
  atMs: Date.UTC(2030, 0, 2, 3, 4, 5),
};

test('the Received line has from, by, with, id, for and the date', () => {
  assert.equal(
    receivedLine({ ...hop, tls: 'TLSv1.3 TLS_AES_256_GCM_SHA384' }),
    'Received: from client.example ([192.0.2.7])\r\n\tby mail.example.test with ESMTPS\r\n\t(using TLSv1.3 TLS_AES_256_GCM_SHA384)\r\n' +
      '\tid 0190a000-0000-7000-8000-000000000001\r\n\tfor <alice@example.test>; Wed, 02 Jan 2030 03:04:05 +0000\r\n',
  );
});

test('with names the protocol as RFC 3848 and RFC 6531 register it', () => {
  const name = (protocol: Hop['protocol'], tls: boolean, authenticated: boolean, smtputf8: boolean) =>
    withProtocol({ protocol, authenticated, smtputf8, ...(tls && { tls: 'x' }) });
  assert.equal(name('SMTP', false, false, false), 'SMTP');
  assert.equal(name('ESMTP', false, false, false), 'ESMTP');
  assert.equal(name('ESMTP', true, true, false), 'ESMTPSA');
  assert.equal(name('ESMTP', true, true, true), 'UTF8SMTPSA');
  assert.equal(name('LMTP', true, false, true), 'UTF8LMTPS');
});

test('a name that is none is left out of the trace, so that nothing can be written into it', () => {
  for (const helo of ['a b', 'x\r\nBcc: y', '(', '[1.2.3', 'ünï côde', '']) {
    assert.match(receivedLine({ ...hop, helo }), /^Received: from \[192\.0\.2\.7\] \(\[192\.0\.2\.7\]\)\r\n/);
  }
  assert.match(receivedLine({ ...hop, helo: 'Bücher.example' }), /from xn--bcher-kva\.example /);
  assert.match(receivedLine({ ...hop, remoteAddress: '2001:db8::1' }), /\(\[IPv6:2001:db8::1\]\)/);
});

test('several recipients are not told of each other', () => {
  const { recipient: _recipient, ...without } = hop;
  assert.doesNotMatch(receivedLine(without), /for </);
});
