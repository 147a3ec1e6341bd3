import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parseOptions } from '@node-rs/argon2';
import { Counter, Registry } from 'prom-client';
import { createPasswords, generatedPassword } from './passwords.ts';

const computations = () =>
  new Counter({ name: 'computations', help: 'test', labelNames: ['operation'], registers: [new Registry()] });

it('a password fits its hash in whatever Unicode form it is typed, and no other does', async () => {
  const passwords = createPasswords(computations());
  const stored = await passwords.hash('pässwörter');
  assert.equal(await passwords.verify(stored, 'pa\u0308sswo\u0308rter'), true);
  assert.equal(await passwords.verify(stored, 'passworter'), false);
});

it('hashes are argon2id with 19 MiB, two passes and one lane', async () => {
  const stored = await createPasswords(computations()).hash('a long password');
  const { memoryCost, timeCost, parallelism } = parseOptions(stored);
  assert.match(stored, /^\$argon2id\$v=19\$/);
  assert.deepEqual([memoryCost, timeCost, parallelism], [19_456, 2, 1]);
});

it('a verification against nobody is one computation too, and never fits', async () => {
  const counter = computations();
  const passwords = createPasswords(counter);
  assert.equal(await passwords.verify(undefined, ''), false);
  assert.equal((await counter.get()).values[0]?.value, 1);
});

it('generated passwords differ and can be pasted anywhere', () => {
  assert.match(generatedPassword(), /^[a-z2-7]{5}(-[a-z2-7]{5}){3}$/);
  assert.notEqual(generatedPassword(), generatedPassword());
});
