import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newId } from '../runtime/ids.ts';
import { idFloor } from './age.ts';

test('ids of a time and later are not below its floor, older ones are', () => {
  const before = Date.now();
  const id = newId();
  const after = Date.now();
  assert.ok(id >= idFloor(before));
  assert.ok(id < idFloor(after + 1));
  assert.ok(idFloor(-1) <= idFloor(0) && idFloor(999) < idFloor(1000));
});
