import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BackendUnavailable, firstOpenWay, isRequired, type Way } from './unavailable.ts';

const open = (name: string): Way<string> => ({ name, open: () => Promise.resolve(name) });
const closed = (name: string, asked = false): Way<string> => ({
  name,
  open: () => Promise.reject(new Error('shut')),
  asked,
});

test('the first way that is open is taken', async () => {
  assert.equal(await firstOpenWay('MongoDB', [closed('docker'), open('path'), open('wheel')]), 'path');
});

test('when no way is open the error tells why for each', async () => {
  await assert.rejects(firstOpenWay('MongoDB', [closed('docker'), closed('path')]), (error) => {
    assert.ok(error instanceof BackendUnavailable);
    assert.deepEqual(error.reasons, ['docker: shut', 'path: shut']);
    return true;
  });
});

test('a way that was asked for by name has no substitute', async () => {
  await assert.rejects(firstOpenWay('MongoDB', [closed('WAYPOST_TEST_MONGODB_URL', true), open('path')]), {
    message: 'WAYPOST_TEST_MONGODB_URL: shut',
  });
});

test('with WAYPOST_TEST_WAY no other way is taken where there is that one', async (t) => {
  process.env['WAYPOST_TEST_WAY'] = 'Docker';
  t.after(() => delete process.env['WAYPOST_TEST_WAY']);
  await assert.rejects(firstOpenWay('MongoDB', [closed('Docker'), open('mongod')]), BackendUnavailable);
  assert.equal(await firstOpenWay('MongoDB', [open('mongod')]), 'mongod');
});

test('a missing backend skips, but in CI or by word it fails', () => {
  assert.equal(isRequired({}), false);
  assert.equal(isRequired({ CI: 'false', WAYPOST_TEST_BACKENDS: 'optional' }), false);
  assert.equal(isRequired({ CI: 'true' }), true);
  assert.equal(isRequired({ WAYPOST_TEST_BACKENDS: 'required' }), true);
});
