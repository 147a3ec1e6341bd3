import assert from 'node:assert/strict';
import { test } from 'node:test';
import { currentTraceparent, inTrace, outgoingTraceparent } from './trace-context.ts';

const received = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

test('what is sent belongs to the trace that came, flags too, with a parent id of its own', async () => {
  await inTrace(received, async () => {
    await Promise.resolve();
    assert.equal(currentTraceparent(), received);
    const sent = outgoingTraceparent();
    assert.match(sent, /^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
    assert.notEqual(sent, received);
  });
  assert.equal(currentTraceparent(), undefined);
});

test('without a trace, or with one that is not valid, a new one begins', () => {
  assert.match(outgoingTraceparent(), /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
  for (const bad of [undefined, '', 'x', received.toUpperCase(), `00-${'0'.repeat(32)}-b7ad6b7169203331-01`]) {
    const current = inTrace(bad, currentTraceparent);
    assert.match(current ?? '', /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    assert.notEqual(current, bad);
  }
});
