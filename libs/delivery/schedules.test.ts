import assert from 'node:assert/strict';
import test from 'node:test';
import { loadConfig } from '../config/load.ts';
import { scheduleFor, scheduleOfRoute } from './schedules.ts';

const minute = 60_000;
const config = loadConfig({
  WAYPOST_RETRY_SCHEDULE: '30m',
  WAYPOST_ROUTES:
    'slow.test=smtp://h.test:25?retry=5m,60m&expire=1d&delayNotice=1h,from:news.test=smtp://h.test:26?expire=2h,*=lmtp://h.test:24',
});
const usual = { retryScheduleMs: [30 * minute], delayNoticeAfterMs: 240 * minute, expireAfterMs: 7200 * minute };

test('mail has the schedule of its route, by domain, by sender, or that for all', () => {
  assert.deepEqual(scheduleFor({ destination: 'slow.test', sender: 'a@b.test' }, config), {
    retryScheduleMs: [5 * minute, 60 * minute],
    delayNoticeAfterMs: 60 * minute,
    expireAfterMs: 1440 * minute,
  });
  assert.deepEqual(scheduleFor({ destination: 'x.test', sender: 'a@news.test' }, config), {
    ...usual,
    expireAfterMs: 120 * minute,
  });
  assert.deepEqual(scheduleFor({ destination: 'x.test', sender: '' }, config), usual);
});

test('local mail has the schedule for all, whoever sends it', () => {
  assert.deepEqual(scheduleFor({ destination: 'local:7', sender: 'a@news.test' }, config), usual);
});

test('a worker finds the schedule by the name of the route', () => {
  assert.equal(scheduleOfRoute('slow.test', config).expireAfterMs, 1440 * minute);
  assert.equal(scheduleOfRoute('from:news.test', config).expireAfterMs, 120 * minute);
  assert.deepEqual(scheduleOfRoute('*', config), usual);
  assert.deepEqual(scheduleOfRoute(undefined, config), usual);
});

test('a first retry that is set comes before the steps, and a route’s own steps are all there are', () => {
  const greylisted = loadConfig({
    WAYPOST_FIRST_RETRY: '5m',
    WAYPOST_ROUTES: 'slow.test=smtp://h.test:25?retry=1h',
  });
  assert.deepEqual(scheduleFor({ destination: 'x.test', sender: '' }, greylisted).retryScheduleMs, [
    5 * minute,
    30 * minute,
  ]);
  assert.deepEqual(scheduleFor({ destination: 'slow.test', sender: '' }, greylisted).retryScheduleMs, [60 * minute]);
});

test('a route whose notice would come after its expiry is refused', () => {
  const routes = (options: string) => ({ WAYPOST_ROUTES: `a.test=smtp://h.test:25?${options}` });
  assert.throws(() => loadConfig(routes('expire=1h&delayNotice=2h')), /WAYPOST_ROUTES/);
  assert.throws(() => loadConfig(routes('delayNotice=6d')), /WAYPOST_ROUTES/);
  assert.equal(loadConfig(routes('expire=1h')).routes.length, 1);
});
