import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isAsciiAddress, parseAddress, splitSubaddress } from './mailbox-address.ts';

const key = (text: string) => parseAddress(text)?.key;

test('an address is compared without regard to case, and keeps the typed form', () => {
  assert.deepEqual(parseAddress('Alice.B@Example.TEST'), {
    localPart: 'Alice.B',
    domain: 'example.test',
    key: 'alice.b@example.test',
    display: 'Alice.B@Example.TEST',
  });
});

test('decomposed and composed letters are the same address', () => {
  assert.equal(key('ju\u0308rgen@example.test'), key('J\u00dcRGEN@example.test'));
});

test('a domain in U-labels is the domain in A-labels', () => {
  assert.equal(key('a@b\u00fccher.example'), 'a@xn--bcher-kva.example');
  assert.equal(key('a@XN--BCHER-KVA.example'), 'a@xn--bcher-kva.example');
  assert.equal(key('a@b\u00fccher\u3002example'), 'a@xn--bcher-kva.example');
});

test('a quoted local part that needs no quotes is the same address as the plain one', () => {
  assert.equal(key('"alice"@example.test'), 'alice@example.test');
  assert.equal(key('"al\\ice"@example.test'), 'alice@example.test');
  assert.equal(parseAddress('"alice smith"@example.test')?.localPart, '"alice smith"');
  assert.equal(key('"a@b"@example.test'), '"a@b"@example.test');
});

test('address literals are recognised and spelled one way', () => {
  assert.equal(parseAddress('a@[127.0.0.1]')?.domain, '[127.0.0.1]');
  assert.equal(parseAddress('a@[ipv6:2001:DB8:0:0::1]')?.domain, '[IPv6:2001:db8::1]');
  for (const bad of ['[127.0.0.256]', '[::1]', '[IPv6:fe80::1%eth0]', '[x:y]', '[]', '[127.0.0.1'])
    assert.equal(parseAddress(`a@${bad}`), undefined, bad);
});

test('what is not a mailbox is refused', () => {
  const bad = [
    '',
    '@',
    'alice',
    'alice@',
    '@example.test',
    'a b@example.test',
    'a..b@example.test',
    '.a@example.test',
    'a.@example.test',
    'a@b@example.test',
    '<a@example.test>',
    'a@example.test.',
    'a@.test',
    'a@-b.test',
    'a@b-.test',
    'a@under_score.test',
    'a@127.0.0.1',
    'a@exa mple.test',
    'a@ex%61mple.test',
    '"a@example.test',
    '"a"b@example.test',
    '""@example.test',
    '"a\nb"@example.test',
    'a\r\nRCPT@example.test',
    'a\u0000@example.test',
    'a\u0085@example.test',
    'a\u2028@example.test',
    'a\ud800@example.test',
    'a;b@example.test',
    'a\u037eb@example.test',
    'a@example\u0000.test',
    'a@[1.2.3.4]x',
  ];
  for (const text of bad) assert.equal(parseAddress(text), undefined, JSON.stringify(text));
});

test('the limits count octets, not characters', () => {
  assert.ok(parseAddress(`${'a'.repeat(64)}@example.test`));
  assert.equal(parseAddress(`${'a'.repeat(65)}@example.test`), undefined);
  assert.ok(parseAddress(`${'\u00fc'.repeat(32)}@example.test`));
  assert.equal(parseAddress(`${'\u00fc'.repeat(33)}@example.test`), undefined);
  const label = 'd'.repeat(63);
  assert.ok(parseAddress(`a@${label}.${label}.${label}.test`));
  assert.ok(parseAddress(`a@${label}.${label}.${label}.${label}`));
  assert.equal(parseAddress(`a@d.${label}.${label}.${label}.${label}`), undefined);
  assert.equal(parseAddress(`a@${'d'.repeat(64)}.test`), undefined);
});

test('a tag is what follows the first plus', () => {
  assert.deepEqual(splitSubaddress('alice+lists+x'), { user: 'alice', tag: 'lists+x' });
  assert.deepEqual(splitSubaddress('alice'), { user: 'alice', tag: undefined });
  assert.deepEqual(splitSubaddress('+alice'), { user: '+alice', tag: undefined });
  assert.deepEqual(splitSubaddress('"a b+c"'), { user: '"a b"', tag: 'c' });
});

test('only the local part decides whether SMTPUTF8 is needed', () => {
  const ascii = (text: string) => {
    const address = parseAddress(text);
    return address && isAsciiAddress(address);
  };
  assert.equal(ascii('a@b\u00fccher.example'), true);
  assert.equal(ascii('\u00fc@example.test'), false);
});

test('any text is either refused or has a key that is its own key', () => {
  const part = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.string({ unit: 'binary-ascii' }),
    fc.constantFrom('a', '"', '\\', '.', '\u0130', '\u03a3'),
  );
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 6 }),
      fc.constantFrom('example.test', 'B\u00dccher.test', '[127.0.0.1]'),
      (parts, domain) => {
        for (const text of [`${parts.join('')}@${domain}`, `"${parts.join('')}"@${domain}`]) {
          const address = parseAddress(text);
          if (!address) continue;
          assert.equal(key(address.key), address.key);
          assert.equal(key(`${address.localPart}@${address.domain}`), address.key);
        }
      },
    ),
    { numRuns: 2000 },
  );
});

test('splitting and joining a subaddress gives the local part back', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z]{1,8}$/), fc.stringMatching(/^[a-z+]{0,8}$/), (user, tag) => {
      assert.deepEqual(splitSubaddress(`${user}+${tag}`), { user, tag });
    }),
  );
});
