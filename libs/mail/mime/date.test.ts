import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseDateMs } from './date.ts';

test('dates are read in the forms mailers write', () => {
  const at = Date.UTC(2024, 6, 2, 10, 0, 5);
  for (const text of [
    'Tue, 02 Jul 2024 12:00:05 +0200',
    'Tue, 2 Jul 2024 10:00:05 GMT',
    '2 Jul 2024 10:00:05 -0000 (UTC)',
    'Tue,  2 Jul 24 06:00:05 EDT',
    'Tuesday, 02-Jul-24 10:00:05 UT',
    'Tue, 02 July 2024 10:00:05',
    'Tue, 02 Jul 2024 15:30:05 +0530',
  ])
    assert.equal(parseDateMs(text), at, text);
  assert.equal(parseDateMs('1 Jan 1999 00:00 Z'), Date.UTC(1999, 0, 1));
  assert.equal(parseDateMs('31 Dec 2016 23:59:60 +0000'), Date.UTC(2016, 11, 31, 23, 59, 59));
});

test('what is no date is none', () => {
  for (const text of [
    '',
    'yesterday',
    '31 Feb 2024 10:00:00 +0000',
    '2 Jul 2024',
    '2 Xyz 2024 10:00',
    '2 Jul 2024 25:00:00 +0000',
    '2 Jul 2024 10:61 +0000',
  ])
    assert.equal(parseDateMs(text), undefined, text);
});

test('every date that is written is read back', () => {
  fc.assert(
    fc.property(fc.date({ min: new Date(0), max: new Date('9999-12-31T00:00:00Z'), noInvalidDate: true }), (date) => {
      assert.equal(parseDateMs(date.toUTCString()), Math.floor(date.getTime() / 1000) * 1000);
    }),
  );
});
