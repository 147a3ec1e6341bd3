import { parseArgs } from 'node:util';
import { type ServiceName, serviceNames } from '../../services/service-names.ts';
import { benchAccept } from './accept.ts';
import { benchList } from './list.ts';
import { benchMailbox } from './mailbox.ts';
import { benchMemory } from './memory.ts';

/**
 * `npm run bench -- NAME [--messages N] [--warm-up N] [--sessions N] [--bytes N] [--rounds N] [--large N] [--mode embedded|cluster]
 * [--copies SERVICE=N,…]`: prints rates, costs and ratios; asserts nothing.
 */
const benchmarks: Readonly<Record<string, (options: Parameters<typeof benchAccept>[0]) => Promise<void>>> = {
  accept: benchAccept,
  mailbox: benchMailbox,
  list: benchList,
  memory: benchMemory,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    messages: { type: 'string', default: '20000' },
    'warm-up': { type: 'string', default: '10000' },
    sessions: { type: 'string', default: '20' },
    bytes: { type: 'string', default: '4096' },
    rounds: { type: 'string', default: '3' },
    large: { type: 'string', default: '1000000' },
    mode: { type: 'string', default: 'embedded' },
    copies: { type: 'string', default: '' },
  },
});
const benchmark = benchmarks[positionals[0] ?? ''];
if (benchmark === undefined) {
  console.error(
    `npm run bench -- ${Object.keys(benchmarks).join('|')} [--messages N] [--warm-up N] [--sessions N] [--bytes N] [--rounds N] [--large N] [--mode embedded|cluster] [--copies SERVICE=N,…]`,
  );
  process.exitCode = 2;
} else {
  await benchmark({
    messages: Number(values.messages),
    warmUp: Number(values['warm-up']),
    sessions: Number(values.sessions),
    bytes: Number(values.bytes),
    rounds: Number(values.rounds),
    large: Number(values.large),
    mode: values.mode === 'cluster' ? 'cluster' : 'embedded',
    copies: copiesOf(values.copies),
  });
}

/** `mailbox=2,ingress=2` */
function copiesOf(text: string): Partial<Record<ServiceName, number>> {
  const given = new Map(text.split(',').map((part) => [part.split('=')[0], Number(part.split('=')[1])]));
  return Object.fromEntries(serviceNames.flatMap((name) => (given.has(name) ? [[name, given.get(name)]] : [])));
}
