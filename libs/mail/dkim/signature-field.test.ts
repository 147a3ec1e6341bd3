import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { test } from 'node:test';
import { ed25519Key, verifySignatures } from '../../../tests/support/dkim-verify.ts';
import { digestMessage } from './digest-message.ts';
import { type DkimPrivateKey, signatureField } from './signature-field.ts';
import { signedFields } from './signed-fields.ts';

/** RFC 8463 appendix A. */
const vectors = {
  ed25519: 'nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=',
  ed25519Public: '11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=',
  rsaPublic:
    'MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB',
};
const text = [
  'From: Joe SixPack <joe@football.example.com>',
  'To: Suzie Q <suzie@shopping.example.net>',
  'Subject: Is dinner ready?',
  'Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)',
  'Message-ID: <20030712040037.46341.5F8J@football.example.com>',
  '',
  'Hi.',
  '',
  'We lost the game.  Are you hungry yet?',
  '',
  'Joe.',
  '',
].join('\r\n');
const theirSignatures = [
  'DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;',
  ' d=football.example.com; i=@football.example.com;',
  ' q=dns/txt; s=brisbane; t=1528637909; h=from : to :',
  ' subject : date : message-id : from : subject : date;',
  ' bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;',
  ' b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus',
  ' Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==',
  'DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;',
  ' d=football.example.com; i=@football.example.com;',
  ' q=dns/txt; s=test; t=1528637909; h=from : to : subject :',
  ' date : message-id : from : subject : date;',
  ' bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;',
  ' b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3',
  ' DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz',
  ' dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=',
  '',
].join('\r\n');
const theirKeys = {
  brisbane: ed25519Key(vectors.ed25519Public),
  test: createPublicKey({ key: Buffer.from(vectors.rsaPublic, 'base64'), format: 'der', type: 'spki' }),
};

function ed25519Private(seed: string): KeyObject {
  const prefix = Buffer.from('302e020100300506032b657004220420', 'hex');
  return createPrivateKey({ key: Buffer.concat([prefix, Buffer.from(seed, 'base64')]), format: 'der', type: 'pkcs8' });
}

async function signedWith(key: DkimPrivateKey, message: string, expiresAt?: number): Promise<Buffer> {
  const digest = await digestMessage(Buffer.from(message, 'latin1'));
  assert.ok('fields' in digest);
  const signed = signedFields(digest.fields);
  assert.ok(signed);
  const times = { signedAt: 1_528_637_909_000, expiresAt };
  return Buffer.from((await signatureField(key, signed, digest.bodyHash, times)) + message, 'latin1');
}

test('the test that measures the others takes the signatures of RFC 8463 appendix A, and no others', () => {
  assert.deepEqual(verifySignatures(Buffer.from(theirSignatures + text), theirKeys), [true, true]);
  const changed = text.replace('game', 'name');
  assert.deepEqual(verifySignatures(Buffer.from(theirSignatures + changed), theirKeys), [false, false]);
  const subject = text.replace('dinner', 'supper');
  assert.deepEqual(verifySignatures(Buffer.from(theirSignatures + subject), theirKeys), [false, false]);
});

test('the body hash is the one of RFC 8463 appendix A, and its key signs what its record verifies', async () => {
  const digest = await digestMessage(Buffer.from(text));
  assert.equal('bodyHash' in digest && digest.bodyHash, '2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=');
  const key = ed25519Private(vectors.ed25519);
  const domain = 'football.example.com';
  const message = await signedWith({ domain, selector: 'brisbane', algorithm: 'ed25519-sha256', key }, text);
  assert.deepEqual(verifySignatures(message, theirKeys), [true]);
});

test('every line of a signature has at most 78 characters, with long names too', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const domain = `${'a'.repeat(30)}.${'b'.repeat(30)}.example`;
  const key = { domain, selector: 's'.repeat(63), algorithm: 'rsa-sha256', key: privateKey } as const;
  const message = await signedWith(key, text, 1_528_637_909_500);
  const field = message.toString('latin1').slice(0, message.indexOf('From:'));
  for (const line of field.split('\r\n')) assert.ok(line.length <= 78 && !/[ \t]$/.test(line), line);
  assert.ok(field.includes(' t=1528637909;') && field.includes(' x=1528637910;'), field);
  assert.ok(!/[ ;]l=/.test(field), field);
  assert.deepEqual(verifySignatures(message, { [key.selector]: publicKey }), [true]);
});

test('a field that is shown can neither be added nor taken away', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const key = { domain: 'example.com', selector: 's', algorithm: 'ed25519-sha256', key: privateKey } as const;
  const message = (await signedWith(key, text)).toString('latin1');
  const verified = (changed: string): boolean[] => verifySignatures(Buffer.from(changed, 'latin1'), { s: publicKey });
  assert.deepEqual(verified(message), [true]);
  for (const name of ['From', 'To', 'Cc', 'Subject', 'Date', 'Reply-To', 'Content-Type', 'Message-ID']) {
    assert.deepEqual(verified(`${name}: another\r\n${message}`), [false], `${name} before`);
    assert.deepEqual(verified(message.replace('\r\n\r\n', `\r\n${name}: another\r\n\r\n`)), [false], `${name} after`);
  }
  assert.deepEqual(verified(message.replace(/^Date:.*\r\n/m, '')), [false]);
  for (const name of ['Received', 'List-Id', 'Sender', 'X-Spam']) {
    assert.deepEqual(verified(`${name}: another\r\n${message}`), [true], name);
  }
});
