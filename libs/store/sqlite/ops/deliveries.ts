import * as claims from './delivery-claims.ts';
import * as due from './delivery-due.ts';
import * as destinations from './destination-counts.ts';
import * as list from './delivery-list.ts';
import * as notices from './delivery-notices.ts';
import * as outcomes from './delivery-outcomes.ts';
import * as queue from './delivery-queue.ts';
import * as reports from './delivery-reports.ts';
import * as steer from './delivery-steer.ts';

export const writes = {
  ...due.writes,
  ...claims.writes,
  ...outcomes.writes,
  ...reports.writes,
  ...notices.writes,
  ...queue.writes,
  ...steer.writes,
};

export const reads = { ...due.reads, ...list.reads, ...reports.reads, ...queue.reads, ...destinations.reads };
