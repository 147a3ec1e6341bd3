import type { Route } from '../../../libs/config/forms.ts';
import { matchRoute, routeName } from '../../../libs/routing/operator-route.ts';

/**
 * Rows that go the same way share a lane: those of a destination, but for senders that have a route of their own. Where there are no such routes, which is
 * nearly always, the key is the destination itself.
 */
export function laneKeys(routes: readonly Route[]): (row: { destination: string; sender: string }) => string {
  if (!routes.some(({ sender }) => sender !== undefined)) return ({ destination }) => destination;
  return ({ destination, sender }) => {
    const found = matchRoute(routes, { destination, sender });
    return found?.sender === undefined ? destination : `${destination} ${routeName(found)}`;
  };
}
