import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePathCommand } from './path-command.ts';

const mail = (line: string) => {
  const command = parsePathCommand('MAIL FROM', line);
  return command && [command.path, Object.fromEntries(command.params)];
};

test('a path and its parameters are read', () => {
  assert.deepEqual(mail('MAIL FROM:<a@b.test>'), ['a@b.test', {}]);
  assert.deepEqual(mail('mail from:<> SIZE=10 body=8BITMIME SMTPUTF8'), [
    '',
    { SIZE: '10', BODY: '8BITMIME', SMTPUTF8: true },
  ]);
  assert.deepEqual(mail('MAIL FROM: <a@b.test> '), ['a@b.test', {}]);
});

test('a quoted local part may hold what would end a path', () => {
  assert.deepEqual(mail('MAIL FROM:<"a> b:\\"c"@b.test> SIZE=1'), ['"a> b:\\"c"@b.test', { SIZE: '1' }]);
});

test('a source route is ignored', () => {
  assert.deepEqual(mail('MAIL FROM:<@x.test,@y.test:a@b.test>'), ['a@b.test', {}]);
});

test('other forms are refused', () => {
  for (const line of [
    'MAIL',
    'MAIL FROM',
    'MAIL FROM:',
    'MAIL FROM:a@b.test',
    'MAIL FROM:<a@b.test',
    'MAIL FROM:<a@b.test>SIZE=1',
    'MAIL FROM:<a@b.test> =1',
    'MAIL FROM:<a@b.test> SIZE=1 size=2',
    'MAIL FROM:<a@b.test> SIZE=',
    'MAIL FROM:<a@b.test> A=b=c',
    'MAIL TO:<a@b.test>',
    'MAILFROM:<a@b.test>',
    'MAIL FROM:<"a@b.test>',
  ]) {
    assert.equal(mail(line), undefined, line);
  }
});
