import { type Command, word } from '../command.ts';

const path = '/api/v1/domains';

export const domainCommands: readonly Command[] = [
  {
    name: 'domain list',
    usage: '',
    summary: 'the domains that mail is kept for',
    run: async ({ api, output }) => output.rows(await api().list(path, 100_000), ['name', 'createdAt']),
  },
  {
    name: 'domain add',
    usage: 'NAME',
    summary: 'keep mail for a domain',
    run: async (context) =>
      context.output.record(await context.api().call('POST', path, { name: word(context, 0, 'NAME') })),
  },
  {
    name: 'domain remove',
    usage: 'NAME',
    summary: 'a domain without accounts or aliases',
    async run(context) {
      const name = word(context, 0, 'NAME');
      await context.api().call('DELETE', `${path}/${encodeURIComponent(name)}`);
      context.output.say(`removed ${name}`);
    },
  },
];
