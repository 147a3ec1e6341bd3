import type { Route } from '../config/forms.ts';
import { matchRoute, routeName } from '../routing/operator-route.ts';
import { isLocalDestination } from './partition.ts';

/** How long mail is tried, and how often; ms. */
export interface MailSchedule {
  /** Waits between attempts, the last one repeats (schedule.ts). */
  retryScheduleMs: readonly number[];
  /** From when it may first go. */
  delayNoticeAfterMs: number;
  expireAfterMs: number;
}

export interface ScheduleConfig extends MailSchedule {
  routes: readonly Route[];
}

/** What the schedule of mail depends on. */
export interface Scheduled {
  destination: string;
  sender: string;
}

/** The schedule of mail: its route's own, where it has one, else that for all. Local mail goes by no route. */
export function scheduleFor(mail: Scheduled, config: ScheduleConfig): MailSchedule {
  // Nearly nobody has times for a route: then nothing is to be looked for.
  if (isLocalDestination(mail.destination) || !config.routes.some(hasTimes)) return ofAll(config);
  return withTimesOf(matchRoute(config.routes, mail), config);
}

/** The same for a worker, whose batch names its route (Batch.way.route). */
export function scheduleOfRoute(name: string | undefined, config: ScheduleConfig): MailSchedule {
  return withTimesOf(
    config.routes.find((route) => routeName(route) === name),
    config,
  );
}

const hasTimes = ({ retryScheduleMs, expireAfterMs, delayNoticeAfterMs }: Route): boolean =>
  retryScheduleMs !== undefined || expireAfterMs !== undefined || delayNoticeAfterMs !== undefined;

function withTimesOf(route: Route | undefined, config: ScheduleConfig): MailSchedule {
  const all = ofAll(config);
  return {
    retryScheduleMs: route?.retryScheduleMs ?? all.retryScheduleMs,
    delayNoticeAfterMs: route?.delayNoticeAfterMs ?? all.delayNoticeAfterMs,
    expireAfterMs: route?.expireAfterMs ?? all.expireAfterMs,
  };
}

const ofAll = ({ retryScheduleMs, delayNoticeAfterMs, expireAfterMs }: ScheduleConfig): MailSchedule => ({
  retryScheduleMs,
  delayNoticeAfterMs,
  expireAfterMs,
});
