import assert from 'node:assert/strict';
import { test } from 'node:test';
import { priorityOf } from './priorities.ts';

test('what calls itself bulk, or goes to many, stands behind ordinary mail', () => {
  const priority = (header: string, targets = 1): number => priorityOf({ header, targets });
  assert.equal(priority('Subject: x\r\nPrecedence: bulk\r\n'), 2);
  assert.equal(priority('PRECEDENCE : List\r\nSubject: x\r\n'), 2);
  assert.equal(priority('Subject: x\r\n', 101), 2);
  assert.equal(priority('Subject: x\r\n', 100), 1);
  for (const header of ['Precedence: first-class\r\n', 'Subject: Precedence: bulk\r\n', 'X-Precedence: bulk\r\n', ''])
    assert.equal(priority(header), 1, header);
});
