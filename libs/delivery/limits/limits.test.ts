import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultLimits, limitsFor, parseLimitRules, withSet } from './limits.ts';

test('rules are read as they are written', () => {
  assert.deepEqual(parseLimitRules('*=connections:20,perConnection:100,perSecond:0;Google.com=connections:10;'), [
    { pattern: '*', connections: 20, perConnection: 100, perSecond: 0 },
    { pattern: 'google.com', connections: 10 },
  ]);
  assert.deepEqual(parseLimitRules(' [::1]:2525 = perSecond : 5'), undefined);
  assert.deepEqual(parseLimitRules('[::1]:2525=perSecond: 5'), [{ pattern: '[::1]:2525', perSecond: 5 }]);
  assert.deepEqual(parseLimitRules(''), []);
});

test('what is no rule is none', () => {
  const wrong = [
    'google.com',
    '=connections:1',
    'a.example=',
    'a.example=connections',
    'a.example=connections:0',
    'a.example=connections:1001',
    'a.example=perConnection:0',
    'a.example=perSecond:-1',
    'a.example=perSecond:1.5',
    'a.example=connections:1,connections:2',
    'a.example=constructor:1',
    'a b=connections:1',
    '*a=connections:1',
    Array.from({ length: 1_001 }, (_, n) => `g${n}=connections:1`).join(';'),
  ];
  for (const text of wrong) assert.equal(parseLimitRules(text), undefined, text);
});

test('each limit is that of the rule that fits closest', () => {
  const rules =
    parseLimitRules(
      'a.mail.example=connections:1;*.example=connections:2,perSecond:7;*.mail.example=connections:3;*=perConnection:9;10.0.0.1=connections:4;10.0.0.1:25=perSecond:3;a.mail.example=perSecond:1',
    ) ?? [];
  const of = (group: string): number[] => Object.values(limitsFor(group, rules));
  assert.deepEqual(of('a.mail.example'), [1, 9, 1]);
  assert.deepEqual(of('b.mail.example'), [3, 9, 7]);
  assert.deepEqual(of('B.Example'), [2, 9, 7]);
  assert.deepEqual(of('example'), [20, 9, 0]);
  assert.deepEqual(of('notexample.org'), [20, 9, 0]);
  assert.deepEqual(of('10.0.0.1:25'), [4, 9, 3]);
  assert.deepEqual(of('10.0.0.1:26'), [4, 9, 0]);
  assert.deepEqual(limitsFor('any.test', []), defaultLimits);
});

test('what an operator has set goes before, zero too', () => {
  const limits = { connections: 3, perConnection: 4, perSecond: 5 };
  assert.deepEqual(withSet(limits, { perSecond: 0, connections: null }), { ...limits, perSecond: 0 });
});
