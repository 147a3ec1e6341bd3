// A queue owner and a delivery worker in a process of their own, over a MongoDB that others share, to be frozen and killed. Wakes go to all nodes.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Bus } from '../../libs/bus/port.ts';
import type { WakeName, WakeOf } from '../../libs/bus/wakes.ts';
import { type MailSystemOptions, openMailSystem } from '../integration/mail-system.ts';

interface Wake {
  name: WakeName;
  data: WakeOf<WakeName>;
}

export interface MailNode {
  freeze(): void;
  thaw(): void;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGTERM: it gives back what it holds; resolves when it has ended. */
  terminate(): Promise<void>;
}

type NodeOptions = Pick<MailSystemOptions, 'mongo' | 'config'>;

/** Nodes that hear each other's wakes, and the test's. */
export class MailNodes {
  readonly #children = new Set<ReturnType<typeof fork>>();
  #own: Bus | undefined;

  /** For the system of the test itself. */
  readonly wrapBus = (bus: Bus): Bus => {
    this.#own = bus;
    return wakingOthers(bus, (wake) => this.#pass(wake, undefined));
  };

  async start(options: NodeOptions): Promise<MailNode> {
    const child = fork(fileURLToPath(import.meta.url), [JSON.stringify(options)]);
    const { pid } = child;
    if (pid === undefined) throw new Error('the process did not start');
    await once(child, 'message');
    this.#children.add(child);
    child.on('message', (wake: Wake) => this.#pass(wake, child));
    const ended = once(child, 'exit').then(() => this.#children.delete(child));
    const end = async (signal: 'SIGKILL' | 'SIGTERM'): Promise<void> => {
      child.kill(signal);
      await ended;
    };
    return {
      freeze: () => void process.kill(pid, 'SIGSTOP'),
      thaw: () => void process.kill(pid, 'SIGCONT'),
      kill: () => end('SIGKILL'),
      terminate: () => end('SIGTERM'),
    };
  }

  async close(): Promise<void> {
    const ended = [...this.#children].map((child) => once(child, 'exit'));
    for (const child of this.#children) child.kill('SIGKILL');
    await Promise.all(ended);
  }

  #pass(wake: Wake, from: ReturnType<typeof fork> | undefined): void {
    for (const child of this.#children) if (child !== from && child.connected) child.send(wake, () => {});
    if (from !== undefined) this.#own?.wake(wake.name, wake.data);
  }
}

function wakingOthers(bus: Bus, tell: (wake: Wake) => void): Bus {
  return {
    publish: bus.publish.bind(bus),
    subscribe: bus.subscribe.bind(bus),
    request: bus.request.bind(bus),
    respond: bus.respond.bind(bus),
    onWake: bus.onWake.bind(bus),
    status: bus.status.bind(bus),
    close: bus.close.bind(bus),
    wake(name, data) {
      bus.wake(name, data);
      tell({ name, data });
    },
  };
}

async function serve(options: NodeOptions): Promise<void> {
  const closing: (() => unknown)[] = [];
  let own: Bus | undefined;
  const mail = await openMailSystem(
    { after: (close) => void closing.push(close as () => unknown) },
    {
      ...options,
      joins: true,
      wrapBus: (bus) => {
        own = bus;
        return wakingOthers(bus, (wake) => process.send?.(wake));
      },
    },
  );
  process.on('message', ({ name, data }: Wake) => own?.wake(name, data));
  process.once('SIGTERM', () => {
    void Promise.all(closing.map((close) => close())).then(() => process.exit());
  });
  process.on('disconnect', () => process.exit());
  await mail.startQueue();
  await mail.startMailbox();
  process.send?.({ started: true });
}

if (import.meta.main) await serve(JSON.parse(process.argv[2] ?? ''));
