import {
  allEvents,
  cancelSubject,
  eventSubject,
  eventsStream,
  inboxPrefix,
  requestSubject,
  wakeSubject,
} from '../../libs/bus/nats/subjects.ts';
import type { RequestName } from '../../libs/bus/requests.ts';
import type { Rights } from './table.ts';

/** Subjects that a user of NATS may publish on and subscribe to; `*` is one word, `>` all that follow. */
export interface NatsPermissions {
  publish: readonly string[];
  subscribe: readonly string[];
  /** May publish to the reply subject of a request that it got. */
  allowResponses: boolean;
}

export function natsPermissions({ user, nats }: Pick<Rights, 'user' | 'nats'>): NatsPermissions {
  const { answers, asks, publishes, reads, wakes, wokenBy } = nats;
  return {
    publish: [
      ...asks.flatMap(questions),
      ...asks.map(cancelSubject),
      ...publishes.map(eventSubject),
      ...wakes.map(wakeSubject),
      ...streamRequests(user, nats.stream),
    ],
    subscribe: [
      `${inboxPrefix(user)}.>`,
      ...answers.flatMap(questions),
      ...answers.map(cancelSubject),
      ...reads.map(eventSubject),
      ...wokenBy.map(wakeSubject),
    ],
    allowResponses: answers.length > 0,
  };
}

/** Requests that go to one answerer by its name; the others are shared by all of them. */
const addressed: readonly RequestName[] = ['queue.pull'];

function questions(name: RequestName): string[] {
  return addressed.includes(name) ? [`${requestSubject(name)}.to.*`] : [requestSubject(name)];
}

/** Of JetStream's API: https://docs.nats.io/reference/reference-protocols/nats_api_reference */
function streamRequests(user: string, stream: Rights['nats']['stream']): string[] {
  const api = (request: string): string => `$JS.API.${request}`;
  const look = [api('INFO'), api(`STREAM.INFO.${eventsStream}`)];
  if (stream === 'look') return look;
  if (stream === 'make') return [...look, api(`STREAM.CREATE.${eventsStream}`), api(`STREAM.UPDATE.${eventsStream}`)];
  const consumer = `${eventsStream}.${user}`;
  return [
    ...look,
    api(`CONSUMER.CREATE.${consumer}`),
    // With a filter of one subject the filter is a part of the request's subject.
    api(`CONSUMER.CREATE.${consumer}.${allEvents}`),
    api(`CONSUMER.INFO.${consumer}`),
    api(`CONSUMER.MSG.NEXT.${consumer}`),
    `$JS.ACK.${consumer}.>`,
  ];
}
