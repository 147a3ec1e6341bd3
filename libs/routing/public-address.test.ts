import fc from 'fast-check';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mailHostGroup, routeGroup } from './group.ts';
import { isPublicAddress } from './public-address.ts';

const refused = [
  '127.0.0.1 127.9.9.9 0.0.0.0 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 100.100.100.200 192.0.0.192',
  '192.0.2.1 198.18.0.1 224.0.0.1 240.0.0.1 255.255.255.255 168.63.129.16',
  ':: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:7f00:1 ::ffff:0:10.0.0.1 64:ff9b::10.0.0.1 64:ff9b:1::1 fe80::1 fe80::1%eth0',
  'fd00:ec2::254 fc00::1 fec0::1 ff02::1 2001:db8::1 2002:7f00:1:: 100::1 4000::1',
  'localhost 1.2.3 0x7f.1 2130706433 mx.test',
].flatMap((line) => line.split(' '));

for (const address of refused) {
  test(`not an address of the internet: ${address}`, () => {
    assert.equal(isPublicAddress(address), false);
  });
}

for (const address of [
  '11.0.0.1',
  '172.32.0.1',
  '8.8.8.8',
  '2600::1',
  '2a00:1450::1',
  '::ffff:8.8.8.8',
  '64:ff9b::808:808',
]) {
  test(`an address of the internet: ${address}`, () => {
    assert.equal(isPublicAddress(address), true);
  });
}

test('any text is judged without an error', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.ipV4Extended(), fc.ipV6()), (text) => {
      assert.equal(typeof isPublicAddress(text), 'boolean');
    }),
  );
});

test('hosts of one provider are one group, whatever the domain; of an address its network', () => {
  assert.equal(mailHostGroup('example-com.mail.protection.outlook.com'), 'outlook.com');
  assert.equal(mailHostGroup('inbound-smtp.eu-west-1.amazonaws.com'), 'amazonaws.com');
  assert.equal(mailHostGroup('mx1.example.co.uk'), 'example.co.uk');
  assert.equal(mailHostGroup('mx.sub.a.test'), 'a.test');
  assert.equal(mailHostGroup('mailhost'), 'mailhost');
  assert.equal(mailHostGroup('co.uk'), 'co.uk');
  assert.equal(mailHostGroup('8.8.4.4'), '8.8.4.0/24');
  assert.equal(mailHostGroup('2a00:1450:4001::1'), '2a00:1450:4001::/48');
  assert.equal(routeGroup('relay.test', 25), 'relay.test:25');
});
