import { type Command, UsageError, word } from '../command.ts';

const path = '/api/v1/tokens';

export const tokenCommands: readonly Command[] = [
  {
    name: 'token list',
    usage: '',
    summary: 'your API tokens',
    run: async ({ api, output }) => output.rows(await api().list(path, 10_000), ['id', 'name', 'scopes', 'expiresAt']),
  },
  {
    name: 'token add',
    usage: 'NAME --scope SCOPE… [--expires RFC3339]',
    summary: 'make an API token; it is shown once',
    options: { scope: { type: 'string', multiple: true }, expires: { type: 'string' } },
    async run(context) {
      const scopes = context.options('scope');
      if (scopes.length === 0) throw new UsageError('--scope is missing, e.g. --scope mail:read');
      const expiresAt = context.option('expires');
      const body = { name: word(context, 0, 'NAME'), scopes, ...(expiresAt === undefined ? {} : { expiresAt }) };
      context.output.record(await context.api().call('POST', path, body));
    },
  },
  {
    name: 'token remove',
    usage: 'ID',
    summary: 'a token that is removed is refused within seconds',
    async run(context) {
      await context.api().call('DELETE', `${path}/${encodeURIComponent(word(context, 0, 'ID'))}`);
      context.output.say('removed');
    },
  },
];
