import fc from 'fast-check';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { matchesPolicy, parsePolicy, policyId } from './policy.ts';

const good =
  'version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.Example.net\r\nmax_age: 604800\r\nx-new: y\r\n';

test('the policy of RFC 8461 is read, with either line end', () => {
  const policy = { mode: 'enforce', mx: ['mail.example.com', '*.example.net'], maxAgeMs: 604_800_000 };
  assert.deepEqual(parsePolicy(good), policy);
  assert.deepEqual(parsePolicy(good.replaceAll('\r', '')), policy);
  assert.deepEqual(parsePolicy('version:STSv1\nmode:none\nmax_age:9999999999'), {
    mode: 'none',
    mx: [],
    maxAgeMs: 31_557_600_000,
  });
});

const bad: [string, string][] = [
  ['nothing', ''],
  ['a page', '<html>404</html>'],
  ['another version', good.replace('STSv1', 'STSv2')],
  ['no mode', good.replace('mode', 'mood')],
  ['an unknown mode', good.replace('enforce', 'maybe')],
  ['no hosts', good.replaceAll('mx:', 'mz:')],
  ['no age', good.replace('max_age', 'age')],
  ['a negative age', good.replace('604800', '-1')],
  ['a wildcard in the middle', good.replace('mail.example.com', 'mail.*.com')],
  ['a wildcard alone', good.replace('mail.example.com', '*')],
  ['a thousand hosts', good + 'mx: a.test\n'.repeat(1000)],
  ['an endless host', good.replace('mail.example.com', `${'a.'.repeat(30_000)}b`)],
];

for (const [what, text] of bad) {
  test(`no policy: ${what}`, () => {
    assert.equal(parsePolicy(text), undefined);
  });
}

test('a wildcard stands for one label', () => {
  const policy = parsePolicy(good)!;
  for (const host of ['mail.example.com', 'mx1.example.net']) assert.ok(matchesPolicy(policy, host), host);
  for (const host of [
    'example.net',
    'a.b.example.net',
    'mail.example.com.evil.test',
    'evilexample.net',
    '.example.net',
  ])
    assert.equal(matchesPolicy(policy, host), false, host);
});

test('the id is the one of the only record of ours', () => {
  assert.equal(policyId(['v=STSv1; id=20160831085700Z;', 'v=spf1 -all']), '20160831085700Z');
  assert.equal(policyId(['v=STSv1;x=y;id = a1']), 'a1');
  for (const records of [
    [],
    ['v=STSv1; id=a', 'v=STSv1; id=b'],
    ['v=STSv1;'],
    ['v=STSv1; id=;'],
    ['v=STSv2; id=a'],
    ['v=STSv1; id=a-b'],
  ])
    assert.equal(policyId(records), undefined, String(records));
});

test('random text is a policy or none, in short time', () => {
  const line = fc.oneof(fc.string(), fc.constantFrom(...good.split('\r\n')));
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      const policy = parsePolicy(lines.join('\n'));
      assert.ok(policy === undefined || policy.mode === 'none' || policy.mx.length > 0);
    }),
  );
});
