import type { Deliveries } from '../ports/deliveries.ts';
import type { Engine } from './engine/engine.ts';
import type { Counts } from './ops/delivery-queue.ts';

/** The rows of the queue in SQLite. */
export function sqliteDeliveries(engine: Engine): Deliveries {
  return {
    due: (query) => due(engine, query),
    nextDueAt: (query) => engine.read('deliveries.nextDueAt', query),
    claim: (request) => engine.write('deliveries.claim', request, request.ids.length * bytesPerId),
    renew: (request) => engine.write('deliveries.renew', request, request.ids.length * bytesPerId),
    record: (outcomes) => engine.write('deliveries.record', { outcomes }, outcomes.length * bytesPerOutcome),
    expireLeases: (query) => engine.write('deliveries.expireLeases', query),
    expireRows: (query) => engine.write('deliveries.expireRows', query),
    noteDelays: (query) => engine.write('deliveries.noteDelays', query),
    owing: (query) => engine.read('deliveries.owing', query),
    ofMessage: (messageId) => engine.read('deliveries.ofMessage', { messageId }),
    startReport: (request) => engine.write('deliveries.startReport', request),
    finishReport: (request) => engine.write('deliveries.finishReport', request),
    startNotice: (request) => engine.write('deliveries.startNotice', request),
    finishNotice: (request) => engine.write('deliveries.finishNotice', request),
    get: (id) => engine.read('deliveries.get', { id }),
    list: (filter, page) => engine.read('deliveries.list', { filter, ...page }, { search: true }),
    counts: countsOf(engine),
    destinationCounts: async (destinations) => engine.read('deliveries.destinationCounts', { destinations }),
    async steer({ id, ...request }) {
      const [steered] = await engine.write('deliveries.steer', { ...request, ids: [id] });
      return steered?.answer ?? 'absent';
    },
    steerMany: (request) => engine.write('deliveries.steer', request, request.ids.length * bytesPerOutcome),
    audit: {
      begin: (record) => engine.write('queueAudit.begin', record),
      count: (id, done) => engine.write('queueAudit.count', { id, ...done }),
      get: (id) => engine.read('queueAudit.get', { id }),
      list: (page) => engine.read('queueAudit.list', page),
    },
    purge: (query) => purge(engine, query),
  };
}

const bytesPerId = 64;
const bytesPerOutcome = 512;

type DueQuery = Parameters<Deliveries['due']>[0];

/** Rows that have fallen due since the last look are first moved to where the ready ones are read (schema/queue.ts: lanes). */
async function due(engine: Engine, query: DueQuery): ReturnType<Deliveries['due']> {
  for (let round = 0; ; round++) {
    const { rows, unripe } = await engine.read('deliveries.due', { ...query, anyway: round >= maxRipeningRounds });
    if (!unripe) return rows;
    await engine.write('deliveries.ripen', { now: query.now, limit: ripenStep });
  }
}

/** So many rows a write, so that accepts don't wait behind it; the rest follows with the next look. */
const ripenStep = 1_000;
const maxRipeningRounds = 20;

/** Looking through all destinations costs: one answer serves for twenty times as long as it took, and never over 2 s. */
function countsOf(engine: Engine): Deliveries['counts'] {
  let last: { until: number; counts: Promise<Counts & { asOf: number }> } | undefined;
  const look = async (): Promise<Counts & { asOf: number }> => {
    const asOf = Date.now();
    const begun = performance.now();
    const counts = await engine.read('deliveries.counts', undefined);
    const ended = performance.now();
    if (last !== undefined) last.until = begun + Math.min(maxCountsAgeMs, (ended - begun) * 20);
    return { asOf, ...counts };
  };
  return () => {
    if (last === undefined || performance.now() >= last.until) {
      const counts = look();
      last = { until: Number.POSITIVE_INFINITY, counts };
      counts.catch(() => {
        last = undefined;
      });
    }
    return last.counts;
  };
}

const maxCountsAgeMs = 1_500;

/** In steps, so that accepts don't wait behind it. */
async function purge(engine: Engine, { before, limit }: { before: number; limit: number }): Promise<number> {
  let removed = 0;
  while (removed < limit) {
    const step = Math.min(purgeStep, limit - removed);
    const gone = await engine.write('deliveries.purge', { before, limit: step });
    removed += gone;
    if (gone < step) break;
  }
  return removed;
}

const purgeStep = 200;
