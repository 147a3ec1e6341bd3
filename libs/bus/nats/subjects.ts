import type { EventType } from '../events.ts';
import type { RequestName } from '../requests.ts';
import type { WakeName } from '../wakes.ts';

/** Every subject and name that Waypost uses on a NATS server. Rights are given by these: deploy/rights. */
export const eventsStream = 'WAYPOST_EVENTS';
/** What the stream captures, and nothing else. */
export const allEvents = 'waypost.event.>';

/** Those who answer the same name share its requests. */
export const answerersQueue = 'waypost';

export const eventSubject = (type: EventType): string => `waypost.event.${type}`;
export const wakeSubject = (name: WakeName): string => `waypost.wake.${name}`;

/** Where `name` is asked; with `to`, of the one that answers under that name. */
export function requestSubject(name: RequestName, to?: string): string {
  return to === undefined ? `waypost.request.${name}` : `waypost.request.${name}.to.${token(to)}`;
}

/** Tells whoever works on a request of `name` that its asker has given up. */
export const cancelSubject = (name: RequestName): string => `waypost.cancel.${name}`;

/** Where replies to one service arrive: its user may subscribe to no other inbox. */
export const inboxPrefix = (service: string): string => `_INBOX.waypost.${service}`;

/** Any name as one token of a subject: owners carry dots and slashes. */
function token(name: string): string {
  return Buffer.from(name, 'utf8').toString('base64url');
}
