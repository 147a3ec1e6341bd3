import assert from 'node:assert/strict';
import test from 'node:test';
import { z } from 'zod';
import { newId } from '../../../libs/runtime/ids.ts';
import { reportId } from './report-id.ts';

test('a report has the same id for ever', () => {
  assert.equal(reportId('01890a5d-ac96-774b-bcce-b302099a8057', 1, 'failure'), '01890a5d-ac96-780b-9c57-e579b2b8be73');
});

test('the id of a report is a UUIDv7, another for each message, number and kind', () => {
  const ids = new Set<string>();
  for (let many = 0; many < 200; many++) {
    const messageId = newId();
    for (const n of [1, 2, 10])
      for (const kind of ['failure', 'delay', 'success'] as const)
        ids.add(z.uuidv7().parse(reportId(messageId, n, kind)));
  }
  assert.equal(ids.size, 1800);
});
