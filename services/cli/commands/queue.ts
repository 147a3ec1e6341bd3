import { type Command, type CommandContext, word } from '../command.ts';
import { limitOf } from './message.ts';

const path = '/api/v1/queue';
const filters = ['state', 'destination', 'sender', 'recipient', 'domain', 'error', 'older-than'] as const;

export const queueCommands: readonly Command[] = [
  {
    name: 'queue counts',
    usage: '',
    summary: 'deliveries by state',
    async run({ api, output }) {
      const counts = await api().call('GET', `${path}/counts`);
      output.record(
        output.json
          ? counts
          : { asOf: counts['asOf'], destinations: counts['destinations'], ...entriesOf(counts['byState']) },
      );
    },
  },
  {
    name: 'queue list',
    usage:
      '[--state S] [--destination D] [--sender A] [--recipient A] [--domain D] [--error TEXT] [--older-than 1h] [--limit N]',
    summary: 'deliveries, newest first',
    options: {
      ...Object.fromEntries(filters.map((name) => [name, { type: 'string' as const }])),
      limit: { type: 'string' },
    },
    async run(context) {
      const items = await context.api().list(`${path}/deliveries?${filterOf(context)}`, limitOf(context));
      context.output.rows(items, ['id', 'state', 'sender', 'recipient', 'attempts', 'dueAt', 'lastReply']);
    },
  },
  {
    name: 'queue show',
    usage: 'ID',
    summary: 'one delivery with its whole trace',
    async run(context) {
      const { trace, ...delivery } = await context.api().call('GET', deliveryPath(context));
      if (context.output.json) {
        context.output.record({ ...delivery, trace });
        return;
      }
      context.output.record(delivery);
      context.output.say('');
      context.output.rows(Array.isArray(trace) ? trace : [], ['at', 'event', 'host', 'reply']);
    },
  },
  ...[
    { verb: 'hold', summary: 'no attempts until it is released' },
    { verb: 'release', summary: 'let a held delivery go on' },
    { verb: 'retry', summary: 'the next attempt now' },
    { verb: 'cancel', summary: 'end it without a report to the sender' },
  ].map(
    ({ verb, summary }): Command => ({
      name: `queue ${verb}`,
      usage: 'ID',
      summary,
      async run(context) {
        await context.api().call('POST', `${deliveryPath(context)}/${verb}`);
        context.output.say(`${verb}: ${word(context, 0, 'ID')}`);
      },
    }),
  ),
];

const deliveryPath = (context: CommandContext): string =>
  `${path}/deliveries/${encodeURIComponent(word(context, 0, 'ID'))}`;

function filterOf(context: CommandContext): string {
  const query = new URLSearchParams();
  for (const name of filters) {
    const value = context.option(name);
    if (value !== undefined) query.set(name === 'older-than' ? 'olderThan' : name, value);
  }
  return query.toString();
}

function entriesOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
