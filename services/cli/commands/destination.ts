import { type Command, type CommandContext, word } from '../command.ts';
import { limitOf } from './message.ts';

const path = '/api/v1/queue/destinations';

const limitOptions = [
  ['connections', 'connections'],
  ['per-connection', 'perConnection'],
  ['per-second', 'perSecond'],
] as const;

export const destinationCommands: readonly Command[] = [
  {
    name: 'queue destinations',
    usage: '[--prefix NAME] [--limit N]',
    summary: 'destinations with what waits for them, their limits and pauses',
    options: { prefix: { type: 'string' }, limit: { type: 'string' } },
    async run(context) {
      const prefix = context.option('prefix');
      const query = prefix === undefined ? '' : new URLSearchParams({ prefix }).toString();
      const items = await context.api().list(`${path}?${query}`, limitOf(context));
      const columns = ['name', 'group', 'ready', 'deferred', 'leased', 'held', 'paused', 'restingUntil'];
      context.output.rows(items, columns);
    },
  },
  ...[
    { verb: 'pause', summary: 'send nothing to a destination until it is resumed' },
    { verb: 'resume', summary: 'send to a destination again, now' },
  ].map(
    ({ verb, summary }): Command => ({
      name: `queue ${verb}`,
      usage: 'DESTINATION',
      summary,
      async run(context) {
        await context.api().call('POST', `${destinationPath(context)}/${verb}`);
        context.output.say(`${verb}: ${word(context, 0, 'DESTINATION')}`);
      },
    }),
  ),
  {
    name: 'queue limits',
    usage: 'DESTINATION [--connections N] [--per-connection N] [--per-second N]',
    summary: 'show or set the limits of a destination’s group; `default` takes one back',
    options: Object.fromEntries(limitOptions.map(([option]) => [option, { type: 'string' as const }])),
    async run(context) {
      const limits = Object.fromEntries(
        limitOptions.flatMap(([option, name]) => {
          const value = context.option(option);
          return value === undefined ? [] : [[name, value === 'default' ? null : Number(value)]];
        }),
      );
      const shown =
        Object.keys(limits).length === 0
          ? await context.api().call('GET', destinationPath(context))
          : await context.api().call('PATCH', destinationPath(context), { limits });
      context.output.record(
        context.output.json ? shown : { name: shown['name'], group: shown['group'], ...entriesOf(shown['limits']) },
      );
    },
  },
];

function entriesOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

const destinationPath = (context: CommandContext): string =>
  `${path}/${encodeURIComponent(word(context, 0, 'DESTINATION'))}`;
