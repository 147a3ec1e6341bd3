import { type Command, type CommandContext, word } from '../command.ts';
import { limitOf } from './message.ts';
import { queueActionCommands } from './queue-actions.ts';
import { filterOf, filterOptions, filterUsage } from './queue-filter.ts';
import { queueTopCommand } from './queue-top.ts';

const path = '/api/v1/queue';

export const queueCommands: readonly Command[] = [
  {
    name: 'queue counts',
    usage: '',
    summary: 'deliveries by state',
    async run({ api, output }) {
      const counts = await api().call('GET', `${path}/counts`);
      const { byState, ...others } = counts;
      output.record(output.json ? counts : { ...others, ...fieldsOf(byState) });
    },
  },
  queueTopCommand,
  {
    name: 'queue list',
    usage: `${filterUsage} [--limit N]`,
    summary: 'deliveries, newest first; finished ones too, for some days',
    options: { ...filterOptions, limit: { type: 'string' } },
    async run(context) {
      const query = new URLSearchParams(filterOf(context)).toString();
      const items = await context.api().list(`${path}/deliveries?${query}`, limitOf(context));
      context.output.rows(items, ['id', 'state', 'sender', 'recipient', 'attempts', 'dueAt', 'lastReply']);
    },
  },
  {
    name: 'queue show',
    usage: 'ID',
    summary: 'one delivery with its whole trace',
    async run(context) {
      const id = encodeURIComponent(word(context, 0, 'ID'));
      const shown = await context.api().call('GET', `${path}/deliveries/${id}`);
      if (context.output.json) context.output.record(shown);
      else show(context, shown);
    },
  },
  ...queueActionCommands,
  {
    name: 'queue audit',
    usage: '[--limit N]',
    summary: 'what operators did with deliveries, newest first',
    options: { limit: { type: 'string' } },
    async run(context) {
      const items = await context.api().list(`${path}/audit?`, limitOf(context));
      const columns = ['at', 'actor', 'action', 'details', 'deliveryId', 'filter', 'matched', 'changed'];
      context.output.rows(items, columns);
    },
  },
];

function show({ output }: CommandContext, { trace, route, ...delivery }: Record<string, unknown>): void {
  const { group, via, hosts, problem } = fieldsOf(route);
  const way = listOf(hosts).map((host) => `${String(host['host'])} (${String(host['tls'])})`);
  output.record({
    ...delivery,
    ...(typeof group === 'string' && { group }),
    ...(typeof via === 'string' && { via }),
    ...(way.length > 0 && { route: way.join(', ') }),
    ...(typeof problem === 'string' && { route: problem }),
  });
  output.say('');
  const rows = listOf(trace).map((entry) => ({ ...entry, with: withWhom(entry) }));
  output.rows(rows, ['at', 'event', 'with', 'reply']);
}

function withWhom({ host, address, tls }: Record<string, unknown>): string | null {
  const parts = [host, typeof address === 'string' ? `[${address}]` : undefined, tls];
  const known = parts.filter((part) => typeof part === 'string');
  return known.length === 0 ? null : known.join(' ');
}

const listOf = (value: unknown): Record<string, unknown>[] => (Array.isArray(value) ? value.map(fieldsOf) : []);

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
