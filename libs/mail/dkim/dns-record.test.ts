import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dkimRecord, fitOfRecords } from './dns-record.ts';
import { generateKeys } from './key-pair.ts';

const keyOf = async (algorithm: 'rsa-sha256' | 'ed25519-sha256') => ({
  domain: 'example.org',
  selector: 'wp',
  algorithm,
  publicKey: (await generateKeys(algorithm)).publicKey,
});

test('an RSA record is split into strings of at most 255 octets that are the value together', async () => {
  const record = dkimRecord(await keyOf('rsa-sha256'));
  assert.equal(record.name, 'wp._domainkey.example.org');
  assert.deepEqual(
    record.strings.map(({ length }) => length > 255),
    [false, false],
  );
  assert.equal(record.strings.join(''), record.value);
  const quoted = [...record.zoneLine.matchAll(/"([^"]*)"/g)].map(([, string]) => string);
  assert.ok(record.zoneLine.startsWith('wp._domainkey.example.org. IN TXT ( "v=DKIM1; k=rsa; p='));
  assert.deepEqual(quoted, record.strings);
});

test('an Ed25519 record has the 32 octets of its key', async () => {
  const { value, strings } = dkimRecord(await keyOf('ed25519-sha256'));
  assert.match(value, /^v=DKIM1; k=ed25519; p=[A-Za-z0-9+/]{43}=$/);
  assert.equal(strings.length, 1);
});

test('a record fits when it says the same, however it is written', async () => {
  const key = await keyOf('rsa-sha256');
  const { value } = dkimRecord(key);
  const [other, ed25519] = [dkimRecord(await keyOf('rsa-sha256')), dkimRecord(await keyOf('ed25519-sha256'))];
  for (const written of [
    value,
    value.replaceAll(' ', ''),
    `${value};`,
    value.replace('k=rsa; ', ''),
    `${value}; t=y; s=email`,
    value.replace(/(p=.{99})/, '$1 '),
  ]) {
    assert.equal(fitOfRecords(key, [written]), 'matches', written);
  }
  for (const wrong of [
    other.value,
    ed25519.value,
    'v=DKIM1; p=',
    'v=spf1 -all',
    '',
    `${value}; h=sha1`,
    `${value}; s=web`,
    value.replace('DKIM1', 'DKIM2'),
  ]) {
    assert.equal(fitOfRecords(key, [wrong]), 'different', wrong);
  }
  assert.equal(fitOfRecords(key, [value, other.value]), 'several');
  assert.equal(fitOfRecords(key, []), 'different');
});
