import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createForwardMarks } from './forward-mark.ts';
import { createSrs } from './srs.ts';

const dayMs = 86_400_000;
const now = Date.UTC(2030, 0, 2, 3);
const ours = createSrs({ domain: 'example.test', secrets: ['the first secret'] });
const theirs = createSrs({ domain: 'between.test', secrets: ['the secret of another'] });

const forward = (srs: typeof ours, from: string): string => srs.forward(from, now) ?? assert.fail(`${from} stays`);

test('mail of others goes under an address of ours, which leads back to them', () => {
  for (const from of [
    'someone@far.test',
    'Some.One+tag=x@far.test',
    '"a b=c\\"d"@far.test',
    'jörg@xn--bcher-kva.test',
    `bounces+1234567-abcd-user=example.com-${'x'.repeat(20)}@em1234.mail.far.test`,
  ]) {
    const path = forward(ours, from);
    assert.match(path, /^"?SRS0=[a-z2-7]{8}=[a-z2-7]{2}=[a-z0-9.-]+=.*@example\.test$/);
    assert.deepEqual(ours.reverse(path, now), { kind: 'original', address: from });
  }
});

test('what another server has rewritten leads to that server, however many are between', () => {
  const rewritten = forward(theirs, 'someone@far.test');
  const again = forward(ours, rewritten);
  assert.match(again, /^SRS1=[a-z2-7]{10}=between\.test==[a-z2-7]{8}=[a-z2-7]{2}=far\.test=someone@example\.test$/);
  assert.deepEqual(ours.reverse(again, now), { kind: 'original', address: rewritten });
  const third = createSrs({ domain: 'third.test', secrets: ['of a third'] });
  const twice = forward(third, again);
  assert.match(twice, /^SRS1=[a-z2-7]{10}=between\.test==/);
  assert.deepEqual(third.reverse(twice, now), { kind: 'original', address: rewritten });
});

test('an address is good for 21 days, whatever became of its case', () => {
  for (const path of [forward(ours, 'someone@far.test'), forward(ours, forward(theirs, 'someone@far.test'))]) {
    assert.equal(ours.reverse(path, now + 21 * dayMs).kind, 'original');
    assert.equal(ours.reverse(path, now - dayMs).kind, 'original', 'of a host whose clock is ahead');
    assert.equal(ours.reverse(path, now + 22 * dayMs).kind, 'expired');
    assert.equal(ours.reverse(path.toLowerCase(), now).kind, 'original');
    assert.equal(ours.reverse(path.replace('SRS', 'srs').toUpperCase(), now).kind, 'original');
  }
});

test('an address with another day, domain, local part or hash is forged', () => {
  const path = forward(ours, 'someone@far.test');
  const [, hash = '', day = ''] = path.split('=');
  for (const forged of [
    path.replace('someone', 'anyone'),
    path.replace('far.test', 'near.test'),
    path.replace(`=${day}=`, '=ab='),
    path.replace(hash, 'aaaaaaaa'),
    path.replace(hash, hash.slice(1)),
    'SRS0=@example.test',
    'SRS0==ab=far.test=x@example.test',
    'SRS1=abcdefghij=between.test==x@example.test',
    'SRS0+x@example.test',
  ])
    assert.equal(ours.reverse(forged, now).kind, 'forged', forged);
});

test('an address of another domain, or of no such form, is none of the scheme', () => {
  for (const other of [
    forward(theirs, 'a@far.test'),
    'alice@example.test',
    'srs0@example.test',
    '',
    'postmaster',
    'SRS0=x',
  ])
    assert.equal(ours.reverse(other, now).kind, 'none', other);
});

test('after a change of the secret the one before is still believed, and no third', () => {
  const path = forward(ours, 'someone@far.test');
  const secrets = ['the second secret', 'the first secret'];
  assert.equal(createSrs({ domain: 'example.test', secrets }).reverse(path, now).kind, 'original');
  assert.equal(createSrs({ domain: 'example.test', secrets: ['the second secret'] }).reverse(path, now).kind, 'forged');
});

test('the null sender, a literal and what would be too long stay as they are', () => {
  for (const from of ['', 'a@[192.0.2.1]', 'nobody', `${'x'.repeat(64)}@${'y.'.repeat(90)}far.test`])
    assert.equal(ours.forward(from, now), undefined, from);
});

test('no text makes it throw, and none but its own is believed', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^SRS[01][-+=][a-z2-7=.+\-"\\ ]{0,60}@example\.test$/), (text) => {
      assert.notEqual(ours.reverse(text, now).kind, 'original');
      ours.forward(text, now);
    }),
  );
});

test('a message that an alias has forwarded carries its mark, and no other mark', () => {
  const marks = createForwardMarks(['new', 'old']);
  const value = (line: string): string => /^Waypost-Forwarded: (\S{22})\r\n$/.exec(line)?.[1] ?? assert.fail(line);
  const mark = value(marks.line('list@example.test'));
  assert.equal(marks.isMarked(['x', mark], 'list@example.test'), true);
  assert.equal(marks.isMarked([mark], 'other@example.test'), false);
  assert.equal(
    marks.isMarked([value(createForwardMarks(['old']).line('list@example.test'))], 'list@example.test'),
    true,
  );
  assert.equal(createForwardMarks(['third']).isMarked([mark], 'list@example.test'), false);
});
