// A process of its own with a store, told what to do: so that a test can freeze it (SIGSTOP) between two statements of a transaction.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type MongoStore, openMongoStore } from '../../libs/store/mongo/open.ts';
import type { Deliveries } from '../../libs/store/ports/deliveries.ts';
import type { LocalDelivery } from '../../libs/store/ports/mailboxes.ts';
import type { Partitions } from '../../libs/store/ports/partitions.ts';

const work = {
  acquire: (store: MongoStore, request: Parameters<Partitions['acquire']>[0]) => store.partitions.acquire(request),
  renewPartitions: (store: MongoStore, request: Parameters<Partitions['renew']>[0]) => store.partitions.renew(request),
  claim: (store: MongoStore, request: Parameters<Deliveries['claim']>[0]) => store.deliveries.claim(request),
  renew: (store: MongoStore, request: Parameters<Deliveries['renew']>[0]) => store.deliveries.renew(request),
  record: (store: MongoStore, outcomes: Parameters<Deliveries['record']>[0]) => store.deliveries.record(outcomes),
  expireLeases: (store: MongoStore, query: Parameters<Deliveries['expireLeases']>[0]) =>
    store.deliveries.expireLeases(query),
  deliver: (store: MongoStore, deliveries: readonly LocalDelivery[]) => store.mailboxes.deliver(deliveries, Date.now()),
} as const;

type Work = typeof work;
type Result<W extends keyof Work> = Awaited<ReturnType<Work[W]>>;

interface Order {
  n: number;
  name: keyof Work;
  request: unknown;
}

export interface StoreProcess {
  pid: number;
  /** Rejects with what the store rejected with, as text. */
  run<W extends keyof Work>(name: W, request: Parameters<Work[W]>[1]): Promise<Result<W>>;
  freeze(): void;
  thaw(): void;
  stop(): Promise<void>;
}

/** @param inactiveTransactionMs as the store takes it; the frozen one watches nobody */
export async function startStoreProcess(options: {
  url: string;
  database: string;
  inactiveTransactionMs?: number;
}): Promise<StoreProcess> {
  const child = fork(fileURLToPath(import.meta.url), [JSON.stringify(options)], { serialization: 'advanced' });
  const { pid } = child;
  if (pid === undefined) throw new Error('the process did not start');
  const waiting = new Map<number, { resolve: (result: never) => void; reject: (error: Error) => void }>();
  let last = 0;
  child.on('message', (answer: { n: number; result?: never; error?: string }) => {
    const { resolve, reject } = waiting.get(answer.n) ?? {};
    if (answer.error === undefined) resolve?.(answer.result as never);
    else reject?.(new Error(answer.error));
    waiting.delete(answer.n);
  });
  await once(child, 'message');
  return {
    pid,
    run: (name, request) =>
      new Promise((resolve, reject) => {
        const n = ++last;
        waiting.set(n, { resolve, reject });
        child.send({ n, name, request } satisfies Order);
      }),
    freeze: () => void process.kill(pid, 'SIGSTOP'),
    thaw: () => void process.kill(pid, 'SIGCONT'),
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

async function serve(options: Parameters<typeof openMongoStore>[0]): Promise<void> {
  const store = await openMongoStore(options);
  const run = async ({ n, name, request }: Order): Promise<void> => {
    try {
      process.send?.({ n, result: await work[name](store, request as never) });
    } catch (error) {
      process.send?.({ n, error: String(error) });
    }
  };
  process.on('message', (order: Order) => void run(order));
  process.on('disconnect', () => process.exit());
  process.send?.({ n: 0 });
}

if (import.meta.main) await serve(JSON.parse(process.argv[2] ?? ''));
