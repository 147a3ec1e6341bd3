import { type Command, type CommandContext, UsageError, word } from '../command.ts';

const path = '/api/v1/aliases';

export const aliasCommands: readonly Command[] = [
  {
    name: 'alias list',
    usage: '',
    summary: 'all aliases and catch-alls',
    run: async ({ api, output }) => output.rows(await api().list(path, 100_000), ['address', 'targets']),
  },
  {
    name: 'alias add',
    usage: 'ADDRESS|@DOMAIN TARGET…',
    summary: 'one address to one or many; @DOMAIN is the catch-all',
    run: async (context) =>
      context.output.record(
        await context.api().call('POST', path, { address: word(context, 0, 'ADDRESS'), targets: targetsOf(context) }),
      ),
  },
  {
    name: 'alias set',
    usage: 'ADDRESS|@DOMAIN TARGET…',
    summary: 'replace the targets',
    run: async (context) =>
      context.output.record(await context.api().call('PATCH', pathOf(context), { targets: targetsOf(context) })),
  },
  {
    name: 'alias remove',
    usage: 'ADDRESS|@DOMAIN',
    summary: 'remove an alias',
    async run(context) {
      await context.api().call('DELETE', pathOf(context));
      context.output.say(`removed ${word(context, 0, 'ADDRESS')}`);
    },
  },
];

const pathOf = (context: CommandContext): string => `${path}/${encodeURIComponent(word(context, 0, 'ADDRESS'))}`;

function targetsOf(context: CommandContext): readonly string[] {
  const targets = context.words.slice(1);
  if (targets.length === 0) throw new UsageError('TARGET is missing');
  return targets;
}
