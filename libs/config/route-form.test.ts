import assert from 'node:assert/strict';
import test from 'node:test';
import { parseRoutes } from './route-form.ts';

const minute = 60_000;
const times = (value: string) =>
  parseRoutes(value)?.map(({ domain, retryScheduleMs, expireAfterMs, delayNoticeAfterMs, tls }) => ({
    domain,
    retry: retryScheduleMs?.map((ms) => ms / minute),
    expire: expireAfterMs === undefined ? undefined : expireAfterMs / minute,
    notice: delayNoticeAfterMs === undefined ? undefined : delayNoticeAfterMs / minute,
    tls,
  }));
const none = { retry: undefined, expire: undefined, notice: undefined, tls: undefined };

test('a route has times of its own, and the commas of its schedule begin no other route', () => {
  assert.deepEqual(
    times('a.test=smtp://h.test:25?retry=5m,30m&expire=1d&tls=required&delayNotice=1h, b.test=lmtp://h.test:24'),
    [
      { domain: 'a.test', retry: [5, 30], expire: 24 * 60, notice: 60, tls: 'required' },
      { ...none, domain: 'b.test' },
    ],
  );
  assert.deepEqual(times('a.test=smtp://h.test:25?expire=1h,from:x@b.test=smtps://h.test:465?retry=1m'), [
    { ...none, domain: 'a.test', expire: 60 },
    { ...none, domain: '*', retry: [1] },
  ]);
});

test('a route without options has none of its own', () => {
  assert.deepEqual(Object.keys(parseRoutes('a.test=smtp://h.test:25')?.[0] ?? {}).toSorted(), [
    'domain',
    'host',
    'password',
    'port',
    'scheme',
    'sender',
    'tls',
    'username',
  ]);
});

test('a password may look like options', () => {
  const [route] = parseRoutes('a.test=smtp://ann:p?tls=x,y@h.test:25?tls=never') ?? [];
  assert.deepEqual([route?.password, route?.host, route?.tls], ['p?tls=x,y', 'h.test', 'never']);
});

test('options that are unknown, twice, out of range or of another form are refused', () => {
  for (const options of [
    'retry=',
    'retry=5m,,30m',
    'retry=5',
    'retry=100ms',
    'expire=91d',
    'expire=1d&expire=2d',
    'delayNotice=soon',
    'delaynotice=1h',
    'tls=maybe',
    'x=1',
    'tls',
    '',
  ])
    assert.equal(parseRoutes(`a.test=smtp://h.test:25?${options}`), undefined, options);
  for (const value of ['a.test=smtp://h.test:25,', ',a.test=smtp://h.test:25', 'a.test=ftp://h.test:25', 'x'])
    assert.equal(parseRoutes(value), undefined, value);
});
