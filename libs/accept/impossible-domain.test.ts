import assert from 'node:assert/strict';
import { test } from 'node:test';
import { impossibleDomain } from './impossible-domain.ts';

test('address literals, names without a dot and names that lead nowhere are told apart from domains', () => {
  for (const domain of ['[192.0.2.1]', '[IPv6:2001:db8::1]', 'intranet', 'x.invalid', 'a.b.localhost', 'abc.onion'])
    assert.equal(typeof impossibleDomain(domain, [{ domain: '*' }]), 'string', domain);
  for (const domain of ['far.test', 'xn--bcher-kva.example', 'invalid.test'])
    assert.equal(impossibleDomain(domain, []), undefined, domain);
});

test('a route may name any host', () => {
  for (const domain of ['intranet', 'x.invalid']) assert.equal(impossibleDomain(domain, [{ domain }]), undefined);
});
