import { type Filter, type FindCursor, type Long, MongoServerError } from 'mongodb';
import { StoreBusy } from '../../../errors.ts';
import type { SnapshotReads } from '../../database.ts';
import type { MessageDocument } from '../documents.ts';
import { cutPage, type Page } from '../page.ts';
import type { SearchDocument } from './search-document.ts';
import type { SearchQuery } from './search-query.ts';

export interface SearchScope {
  query: SearchQuery;
  /** What a message has to be besides, the cursor included. */
  conditions: Filter<MessageDocument>;
  /** Of receivedAt. */
  range: TimeRange;
  /** Whether `conditions` may pass over hits. */
  narrows: boolean;
  limit: number;
}

export interface TimeRange {
  $gte?: number;
  $lt?: number;
  $lte?: number;
}

/**
 * A page of what matches, newest first: a walk along the entries of the rarest word, whose hits are verified by their tokens and then looked up as messages.
 * Where hits may be passed over it ends after `maxWalkedHits`: the page is then short, and `next` goes on from there. No more than a page and a batch are
 * in memory.
 * @throws StoreBusy when it takes longer than 5 s
 */
export async function searchPage(reads: SnapshotReads, scope: SearchScope): Promise<Page> {
  const time = new TimeLimit(searchLimitMs);
  try {
    const { keys } = scope.query;
    const key = keys.length === 1 ? keys[0] : await rarest(reads, scope, time);
    if (key === undefined) return { rows: [], next: null };
    const floor = keys.length > 1 || scope.narrows ? await walkFloor(reads, key, scope.range, time) : undefined;
    const range = floor === undefined ? scope.range : { ...scope.range, $gte: floor };
    const rows = await walk(reads, { ...scope, range }, key, time);
    const page = cutPage(rows, scope.limit);
    if (page.next !== null || floor === undefined) return page;
    return { rows, next: { receivedAt: floor, id: smallestId } };
  } catch (error) {
    if (!(error instanceof MongoServerError) || error.code !== maxTimeExpired) throw error;
    throw new StoreBusy('the query took too long: narrow it', { cause: error });
  }
}

/** A cursor's id that is before all messages of its millisecond, seen from the newest: the list goes on with the millisecond before. */
export const smallestId = '00000000-0000-0000-0000-000000000000';

const hint = 'message_search_terms';
const searchLimitMs = 5_000;
const maxWalkedHits = 5_000;
const batchSize = 500;
/** The server's code (MongoDB manual, error codes). */
const maxTimeExpired = 50;

/** Counted in the index alone, and no further than a page walks. */
async function rarest(
  { messageSearch, session }: SnapshotReads,
  { query, range }: SearchScope,
  time: TimeLimit,
): Promise<Long | undefined> {
  let found: { key: Long; hits: number } | undefined;
  for (const key of query.keys) {
    const limit = found?.hits ?? maxWalkedHits;
    const hits = await messageSearch.countDocuments(alongIndex(key, range), { session, hint, limit, ...time.left() });
    if (hits === 0) return undefined;
    if (found === undefined || hits < found.hits) found = { key, hits };
  }
  return found?.key;
}

/** The receivedAt of the last hit that one page walks to; undefined when there are fewer hits than that. */
async function walkFloor(
  { messageSearch, session }: SnapshotReads,
  key: Long,
  range: TimeRange,
  time: TimeLimit,
): Promise<number | undefined> {
  const [last] = await messageSearch
    .find(alongIndex(key, range), { session, hint, projection: { _id: 0, receivedAt: 1 }, ...time.left() })
    .sort({ receivedAt: -1 })
    .skip(maxWalkedHits)
    .limit(1)
    .toArray();
  return last?.receivedAt;
}

/** Up to limit + 1 rows. Hits of one millisecond come in no order: the walk goes on to the end of the one in which the page does. */
async function walk(
  reads: SnapshotReads,
  { query, conditions, range, narrows, limit }: SearchScope,
  key: Long,
  time: TimeLimit,
): Promise<MessageDocument[]> {
  const { messageSearch, messages, session } = reads;
  const cursor = messageSearch
    .find(
      { ...alongIndex(key, range), ...query.matches },
      // One more than the page and the first of the next one shows where their millisecond ends.
      { session, hint, projection: { receivedAt: 1 }, batchSize: narrows ? batchSize : limit + 2, ...time.left() },
    )
    .sort({ receivedAt: -1 });
  try {
    let rows: MessageDocument[] = [];
    for (let hits = await nextHits(cursor); hits.length > 0; hits = await nextHits(cursor)) {
      const ids = hits.map(({ _id }) => _id);
      const found = await messages
        .find({ ...conditions, _id: { $in: ids } }, { session, hint: { _id: 1 }, ...time.left() })
        .toArray();
      rows = [...rows, ...found].sort(newestFirst).slice(0, limit + 1);
      const end = rows[limit];
      if (end !== undefined && (hits.at(-1)?.receivedAt ?? 0) < end.receivedAt) break;
    }
    return rows;
  } finally {
    await cursor.close();
  }
}

const alongIndex = (terms: Long, range: TimeRange): Filter<SearchDocument> =>
  Object.keys(range).length === 0 ? { terms } : { terms, receivedAt: range };

type Hit = Pick<SearchDocument, '_id' | 'receivedAt'>;

/** A batch of the server's. */
const nextHits = async (cursor: FindCursor<Hit>): Promise<Hit[]> =>
  (await cursor.hasNext()) ? cursor.readBufferedDocuments() : [];

const newestFirst = (a: MessageDocument, b: MessageDocument): number =>
  b.receivedAt - a.receivedAt || (a._id < b._id ? 1 : -1);

/** For the statements of one page together. */
class TimeLimit {
  readonly #until: number;

  constructor(limitMs: number) {
    this.#until = performance.now() + limitMs;
  }

  left(): { maxTimeMS: number } {
    const maxTimeMS = Math.ceil(this.#until - performance.now());
    if (maxTimeMS <= 0) throw new StoreBusy('the query took too long: narrow it');
    return { maxTimeMS };
  }
}
