import { DiscardPolicy, JetStreamApiError, jetstreamManager, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import type { JetStreamManager, StreamConfig } from '@nats-io/jetstream';
import { errors } from '@nats-io/transport-node';
import type { NatsConnection } from '@nats-io/transport-node';
import { BusMisconfigured } from './errors.ts';
import { allEvents, eventsStream } from './subjects.ts';

/** `ready`: it is there with our settings; `missing`: and we may not make it; `unknown`: this user may not look. */
export type StreamState = 'ready' | 'missing' | 'unknown';

/**
 * Looks for the stream of events and makes it when it is missing and `create` is true.
 * @throws BusMisconfigured when it has other settings, or the server has no JetStream
 */
export async function ensureStream(nc: NatsConnection, create: boolean): Promise<StreamState> {
  const found = await streamConfig(nc);
  if (found === 'unknown') {
    if (nc.info?.jetstream !== true) throw noJetStream();
    return 'unknown';
  }
  if (found === 'missing') return create ? addStream(nc) : 'missing';
  refuseDifferences(found);
  return 'ready';
}

/** As ensureStream with the right to, and brings the settings of one that is there to ours. @throws BusMisconfigured */
export async function makeStream(nc: NatsConnection): Promise<void> {
  const found = await streamConfig(nc);
  if (found === 'unknown') {
    throw new BusMisconfigured(
      'stream',
      `this NATS user may not look at the stream ${eventsStream}: use one that may ($JS.API.STREAM.INFO, CREATE and UPDATE)`,
    );
  }
  if (found === 'missing') {
    await addStream(nc);
    return;
  }
  if (differences(found).length === 0) return;
  try {
    const jsm = await manager(nc);
    refuseDifferences(
      (await jsm.streams.update(eventsStream, { ...settings, num_replicas: found.num_replicas })).config,
    );
  } catch (error) {
    if (error instanceof BusMisconfigured) throw error;
    throw new BusMisconfigured('stream', `${described(found)}, and the server refuses the change: ${textOf(error)}`, {
      cause: error,
    });
  }
}

const dayNs = 24 * 60 * 60 * 1_000_000_000;

/** Everything that is asked of the server, and compared with what it echoes. Replicas are the operator's. */
const settings = {
  subjects: [allEvents],
  retention: RetentionPolicy.Limits,
  storage: StorageType.File,
  discard: DiscardPolicy.Old,
  /** As long as finished deliveries are kept. */
  max_age: 7 * dayNs,
  /** The server sets it aside: small enough for any. Some 500,000 events. */
  max_bytes: 256 * 1024 * 1024,
  max_msgs: -1,
  max_msgs_per_subject: -1,
  deny_delete: false,
  deny_purge: false,
} satisfies Partial<StreamConfig>;

async function streamConfig(nc: NatsConnection): Promise<StreamConfig | 'missing' | 'unknown'> {
  try {
    return (await (await manager(nc)).streams.info(eventsStream)).config;
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === codes.streamNotFound) return 'missing';
    if (isDenied(error)) return 'unknown';
    throw isAbsent(error) ? noJetStream() : error;
  }
}

async function addStream(nc: NatsConnection): Promise<StreamState> {
  try {
    const jsm = await manager(nc);
    refuseDifferences((await jsm.streams.add({ name: eventsStream, ...settings })).config);
    return 'ready';
  } catch (error) {
    if (isDenied(error)) return 'missing';
    if (error instanceof JetStreamApiError) {
      // Another process was faster, with the settings of another release perhaps: the next look tells.
      if (error.code === codes.nameInUse) return ensureStream(nc, false);
      if (permanent.has(error.code)) {
        throw new BusMisconfigured('stream', `NATS can't make the stream ${eventsStream}: ${error.message}`, {
          cause: error,
        });
      }
    }
    throw isAbsent(error) ? noJetStream() : error;
  }
}

const manager = (nc: NatsConnection): Promise<JetStreamManager> =>
  jetstreamManager(nc, { checkAPI: false, timeout: apiMs });
const apiMs = 5000;

const codes = { streamNotFound: 10059, nameInUse: 10058, notEnabledForAccount: 10039 };
/** Overlapping subjects; no room that may be reserved (account, server). */
const permanent = new Set([10065, 10047, 10028, 10023]);

function refuseDifferences(config: StreamConfig): void {
  if (differences(config).length > 0) {
    throw new BusMisconfigured(
      'stream',
      `${described(config)}. \`waypost migrate\` sets what can be set; else remove the stream: it holds nothing that the store hasn't`,
    );
  }
}

function described(config: StreamConfig): string {
  return `the stream ${eventsStream} has other settings than Waypost asks for: ${differences(config).join('; ')}`;
}

function differences(config: StreamConfig): string[] {
  const echoed = new Map<string, unknown>(Object.entries(config));
  return Object.entries(settings).flatMap(([name, asked]) => {
    const [wanted, got] = [JSON.stringify(asked), JSON.stringify(echoed.get(name) ?? false)];
    return wanted === got ? [] : [`${name} is ${got}, asked for ${wanted}`];
  });
}

const noJetStream = (): BusMisconfigured =>
  new BusMisconfigured(
    'noJetStream',
    'the NATS server has no JetStream (for this account): start it with --jetstream, or enable it for the account',
  );

const isDenied = (error: unknown): boolean =>
  causes(error).some((one) => one instanceof errors.PermissionViolationError);

/** Nobody answers the API where JetStream is off. */
function isAbsent(error: unknown): boolean {
  return causes(error).some(
    (one) =>
      one instanceof errors.NoRespondersError ||
      (one instanceof errors.RequestError && one.isNoResponders()) ||
      (one instanceof JetStreamApiError && one.code === codes.notEnabledForAccount) ||
      (one instanceof Error && one.name === 'JetStreamNotEnabled'),
  );
}

function causes(error: unknown): unknown[] {
  return error instanceof Error && error.cause !== undefined ? [error, ...causes(error.cause)] : [error];
}

const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
