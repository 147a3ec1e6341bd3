import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addedFields, rawPrefix, rawPrefixBytes } from './trace.ts';

const received =
  'Received: from a ([192.0.2.1])\r\n\tby mx.test with ESMTP\r\n\tid 1; Mon, 23 Nov 2026 10:00:00 +0000\r\n';

test('of a trace only what was added to the message is taken for its own', () => {
  assert.equal(addedFields(received), '');
  assert.equal(addedFields(received + received), '');
  const added = 'Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@mx.test>\r\n';
  assert.equal(addedFields(received + added), added);
  assert.equal(addedFields(added + received), added);
});

test('the size of what precedes a message is known without making it', () => {
  for (const sender of ['', 'a@b.test', 'jörg@example.test']) {
    assert.equal(rawPrefixBytes(sender, received), rawPrefix(sender, received).length);
  }
});
