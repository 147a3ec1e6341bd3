import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readEnvid, readNotify, readOrcpt, readRet } from './dsn-parameters.ts';

test('NOTIFY is NEVER, or each of its words once', () => {
  assert.equal(readNotify('never'), 'NEVER');
  assert.deepEqual(readNotify('DELAY,success'), ['SUCCESS', 'DELAY']);
  for (const bad of [true, '', 'NEVER,DELAY', 'SUCCESS,SUCCESS', 'ALWAYS', 'SUCCESS,'] as const)
    assert.equal(readNotify(bad), undefined, String(bad));
});

test('ENVID and ORCPT are kept with their xtext decoded', () => {
  assert.equal(readEnvid('QQ+2B1+3D2+20x'), 'QQ+1=2 x');
  assert.equal(readOrcpt('rfc822;a+2Bb@far.test'), 'rfc822;a+b@far.test');
  assert.equal(readOrcpt('RFC822;j+C3+B6rg@far.test'), 'rfc822;jörg@far.test');
  assert.equal(readOrcpt('utf-8;j\\x{F6}rg+@far.test'.replace('+', '\\x{2B}')), 'utf-8;jörg+@far.test');
  assert.equal(readOrcpt('utf-8;jörg@far.test'), 'utf-8;jörg@far.test');
});

test('what could write a line into a report, or is no xtext, is refused', () => {
  for (const bad of [true, '', 'x+0D+0AY', 'x+zz', 'a=b', 'x+2b', 'x'.repeat(101), '+FF', '+C3+B6'] as const)
    assert.equal(readEnvid(bad), undefined, String(bad));
  for (const bad of [
    true,
    'a@b',
    ';a@b',
    'rfc822;',
    'rfc822;a+0Ab',
    'utf-8;\\x{0A}',
    'utf-8;\\x{110000}',
    'utf-8;\\x{D800}',
    'rfc 822;a',
    `rfc822;${'x'.repeat(500)}`,
  ] as const)
    assert.equal(readOrcpt(bad), undefined, String(bad));
});

test('RET is FULL or HDRS', () => {
  assert.equal(readRet('hdrs'), 'HDRS');
  for (const bad of [true, '', 'BODY'] as const) assert.equal(readRet(bad), undefined);
});
