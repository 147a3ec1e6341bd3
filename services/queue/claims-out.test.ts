import assert from 'node:assert/strict';
import test from 'node:test';
import { ClaimsOut } from './claims-out.ts';

test('a claim is asked about from the end of its first lease until it ends or is old', () => {
  const claims = new ClaimsOut({ cap: 10, rememberedLeases: 3 });
  claims.add('a', 0, 100);
  assert.equal(claims.mayHaveEnded(99), false);
  assert.equal(claims.mayHaveEnded(100), true);
  assert.equal(claims.mayHaveEnded(299), true);
  assert.equal(claims.mayHaveEnded(300), true, 'one last time');
  assert.equal(claims.mayHaveEnded(301), false);
  claims.add('b', 0, 100);
  claims.ended('b');
  assert.equal(claims.mayHaveEnded(200), false);
});

test('past the cap the oldest claim is forgotten', () => {
  const claims = new ClaimsOut({ cap: 2, rememberedLeases: 3 });
  for (const [n, token] of ['a', 'b', 'c'].entries()) claims.add(token, n * 1000, 100);
  assert.equal(claims.size, 2);
  assert.equal(claims.mayHaveEnded(150), false, 'a is forgotten');
});
