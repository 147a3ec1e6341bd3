import assert from 'node:assert/strict';
import { test } from 'node:test';
import { impossibleDomain } from './impossible-domain.ts';

const rules = { routes: [], allowAddressLiterals: false };

test('address literals, names without a dot and names that lead nowhere are told apart from domains', () => {
  for (const domain of ['[192.0.2.1]', '[IPv6:2001:db8::1]', 'intranet', 'x.invalid', 'a.b.localhost', 'abc.onion'])
    assert.equal(typeof impossibleDomain(domain, { ...rules, routes: [{ domain: '*' }] }), 'string', domain);
  for (const domain of ['far.test', 'xn--bcher-kva.example', 'invalid.test'])
    assert.equal(impossibleDomain(domain, rules), undefined, domain);
  assert.equal(impossibleDomain('[192.0.2.1]', { ...rules, allowAddressLiterals: true }), undefined);
});

test('a route may name any host', () => {
  for (const domain of ['intranet', 'x.invalid'])
    assert.equal(impossibleDomain(domain, { ...rules, routes: [{ domain }] }), undefined);
});
