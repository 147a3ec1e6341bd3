import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { ListenAddress } from '../../libs/config/forms.ts';
import { type Config, loadConfig } from '../../libs/config/load.ts';
import { type ServiceName, serviceNames } from '../../services/service-names.ts';

/** What `npm run cluster` is asked to run. */
export interface ClusterPlan {
  config: Config;
  /** Everything that is kept. */
  folder: string;
  copies: readonly Copy[];
}

/** One process of a service. */
export interface Copy {
  service: ServiceName;
  /** `mailbox`, `mailbox-2`, … */
  name: string;
  opsListen: ListenAddress | 'off';
  /** The first copy of ingress takes the SMTP addresses of the configuration, others any free ports. */
  first: boolean;
}

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

type Environment = Readonly<Record<string, string | undefined>>;

/** @throws UsageError, InvalidConfig */
export function readPlan(argv: readonly string[], environment: Environment): ClusterPlan {
  const { values } = parseArgs({ args: [...argv], options: { copies: { type: 'string', default: '' } } });
  const brought = ['WAYPOST_MONGODB_URL', 'WAYPOST_NATS_URL', 'WAYPOST_NATS_NKEY', 'WAYPOST_NATS_TOKEN'];
  for (const name of [...brought, ...brought.map((one) => `${one}_FILE`), 'WAYPOST_NATS_CREDS_FILE']) {
    if ((environment[name] ?? '') === '') continue;
    throw new UsageError(
      `${name} is set, but this cluster brings its own MongoDB and NATS: unset it. docs/cluster.md says how to run the services with yours`,
    );
  }
  const config = loadConfig(environment);
  const folder = (environment['WAYPOST_DATA_DIR'] ?? '') === '' ? resolve('data', 'cluster') : config.dataDir;
  return { config, folder, copies: copiesOf(countsFrom(values.copies), config.opsListen) };
}

function countsFrom(text: string): ReadonlyMap<ServiceName, number> {
  const items = text.split(',').filter((item) => item !== '');
  return new Map(
    items.map((item) => {
      const [, name, number] = /^([a-z]+)=([1-9])$/.exec(item) ?? [];
      const service = serviceNames.find((known) => known === name);
      if (service !== undefined) return [service, Number(number)];
      throw new UsageError(`--copies ${item}: use service=number with 1 to 9, and one of ${serviceNames.join(', ')}`);
    }),
  );
}

/** Ops ports follow the first one in this order, which is that of the table in docs/cluster.md. */
const opsOrder: readonly ServiceName[] = ['ingress', 'queue', 'delivery', 'mailbox', 'auth'];

function copiesOf(counts: ReadonlyMap<ServiceName, number>, ops: ListenAddress | 'off'): Copy[] {
  return opsOrder.flatMap((service, index) =>
    Array.from({ length: counts.get(service) ?? 1 }, (_, n): Copy => {
      const isFirst = n === 0;
      const name = isFirst ? service : `${service}-${n + 1}`;
      if (ops === 'off') return { service, name, opsListen: 'off', first: isFirst };
      const port = isFirst && ops.port !== 0 ? ops.port + index : 0;
      return { service, name, opsListen: { host: ops.host, port }, first: isFirst };
    }),
  );
}
