import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSecretBox, UnreadableSecret } from './secret-box.ts';

const keyOf = (octet: number): string => Buffer.alloc(32, octet).toString('base64');
const [first, second] = [keyOf(1), keyOf(2)];
const secret = '-----BEGIN PRIVATE KEY-----\nsecret\n';

test('what is sealed shows nothing of the secret, is never the same twice, and opens again', () => {
  const box = createSecretBox([first]);
  const sealed = box.seal(secret, 'a');
  assert.ok(!sealed.includes('secret') && !sealed.includes(Buffer.from(secret).toString('base64').slice(0, 12)));
  assert.notEqual(sealed, box.seal(secret, 'a'));
  assert.equal(box.open(sealed, 'a'), secret);
});

test('without a key secrets are kept as they are, and a key given later reads them', () => {
  const box = createSecretBox();
  assert.equal(box.encrypts, false);
  const sealed = box.seal(secret, 'a');
  assert.equal(sealed, `plain:${secret}`);
  assert.equal(createSecretBox([first]).open(sealed, 'a'), secret);
});

test('after a change of the key the old one still opens, and the new one seals', () => {
  const sealed = createSecretBox([first]).seal(secret, 'a');
  const both = createSecretBox([second, first]);
  assert.equal(both.open(sealed, 'a'), secret);
  assert.equal(createSecretBox([second]).open(both.seal(secret, 'a'), 'a'), secret);
});

test('another key, another place, a changed text and an unknown form are told without the secret', () => {
  const box = createSecretBox([first]);
  const sealed = box.seal(secret, 'a');
  const changed = sealed.replace(
    /:([^:])([^:]*):([^:]*)$/,
    (_, one: string, rest: string, tag: string) => `:${one === 'A' ? 'B' : 'A'}${rest}:${tag}`,
  );
  const cases: [string, string, ReturnType<typeof createSecretBox>][] = [
    [sealed, 'b', box],
    [changed, 'a', box],
    [sealed.slice(0, -8), 'a', box],
    ['other:thing', 'a', box],
    ['', 'a', box],
    [sealed, 'a', createSecretBox([second])],
    [sealed, 'a', createSecretBox()],
  ];
  for (const [text, place, own] of cases) {
    assert.throws(
      () => own.open(text, place),
      (error: unknown) =>
        error instanceof UnreadableSecret && error.place === place && !error.message.includes('secret\n'),
    );
  }
});
