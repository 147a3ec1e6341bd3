import { type ApiCaller, ApiProblem } from '../api-caller.ts';

/** What `queue top` shows of one moment. */
export interface Snapshot {
  /** RFC 3339. */
  asOf: string;
  byState: Readonly<Record<string, number>>;
  /** Of rows that wait; null when none does. */
  oldestDueAt: string | null;
  destinationCount: number;
  /** Those with the most to do first; undefined: the server has no list of them. */
  destinations: readonly Destination[] | undefined;
  /** Of the newest mail that had trouble, the latest first. */
  errors: readonly { at: string; recipient: string; reply: string }[];
}

export interface Destination {
  name: string;
  group: string | null;
  ready: number;
  deferred: number;
  leased: number;
  held: number;
  /** `paused`, or until when its hosts are left alone. */
  stopped: string | null;
}

const path = '/api/v1/queue';

/** Takes snapshots. Destinations are read again only as often as that takes little of the server's time. */
export function snapshotTaker(api: ApiCaller): () => Promise<Snapshot> {
  let known: { destinations: readonly Destination[] | undefined; untilMs: number } | undefined;
  return async () => {
    const [counts, deferred] = await Promise.all([
      api.call('GET', `${path}/counts`),
      // An empty text is part of each reply.
      api.call('GET', `${path}/deliveries?state=deferred&error=&limit=${errorsRead}`),
    ]);
    if (known === undefined || performance.now() >= known.untilMs) {
      const begunMs = performance.now();
      const destinations = await readDestinations(api);
      const tookMs = performance.now() - begunMs;
      known = { destinations, untilMs: performance.now() + Math.min(60_000, tookMs * 10) };
    }
    const { asOf, byState, oldestDueAt, destinations } = counts;
    return {
      asOf: typeof asOf === 'string' ? asOf : new Date().toISOString(),
      byState: numbersOf(byState),
      oldestDueAt: typeof oldestDueAt === 'string' ? oldestDueAt : null,
      destinationCount: Number(destinations ?? 0),
      destinations: known.destinations,
      errors: errorsOf(deferred['items']),
    };
  };
}

const errorsRead = 50;
/** Past it the busiest may be missed: the list is by name. */
const destinationsRead = 1_000;
const destinationsShown = 50;

async function readDestinations(api: ApiCaller): Promise<readonly Destination[] | undefined> {
  try {
    const items = await api.list(`${path}/destinations?`, destinationsRead);
    const shown = items
      .map(destinationOf)
      .filter(({ ready, deferred, leased, held }) => ready + deferred + leased + held > 0);
    return shown
      .toSorted((a, b) => b.ready + b.leased - (a.ready + a.leased) || b.deferred - a.deferred)
      .slice(0, destinationsShown);
  } catch (error) {
    if (error instanceof ApiProblem && error.status === 404) return undefined;
    throw error;
  }
}

function destinationOf(item: Readonly<Record<string, unknown>>): Destination {
  const { name, group, ready, deferred, leased, held, paused, restingUntil } = item;
  return {
    name: String(name),
    group: typeof group === 'string' ? group : null,
    ready: Number(ready),
    deferred: Number(deferred),
    leased: Number(leased),
    held: Number(held),
    stopped: paused === true ? 'paused' : typeof restingUntil === 'string' ? `rests until ${restingUntil}` : null,
  };
}

function errorsOf(items: unknown): Snapshot['errors'] {
  if (!Array.isArray(items)) return [];
  return items
    .map((item) => ({ at: String(item.updatedAt), recipient: String(item.recipient), reply: String(item.lastReply) }))
    .toSorted((a, b) => (a.at < b.at ? 1 : -1));
}

function numbersOf(value: unknown): Record<string, number> {
  if (typeof value !== 'object' || value === null) return {};
  return Object.fromEntries(Object.entries(value).map(([name, many]) => [name, Number(many)]));
}
