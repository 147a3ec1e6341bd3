import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type Command, type CommandContext, UsageError, word } from '../command.ts';

const path = '/api/v1/accounts';
const columns = ['id', 'address', 'displayName', 'enabled', 'admin', 'quota'];

export const accountCommands: readonly Command[] = [
  {
    name: 'account list',
    usage: '[--limit N]',
    summary: 'all accounts',
    options: { limit: { type: 'string' } },
    run: async (context) =>
      context.output.rows(await context.api().list(path, Number(context.option('limit') ?? 100_000)), columns),
  },
  {
    name: 'account add',
    usage: 'ADDRESS [--new-password-file FILE] [--name TEXT] [--quota-bytes N] [--quota-messages N]',
    summary: 'make an account; without a password file one is made and shown once',
    options: {
      'new-password-file': { type: 'string' },
      name: { type: 'string' },
      'quota-bytes': { type: 'string' },
      'quota-messages': { type: 'string' },
    },
    run: add,
  },
  {
    name: 'account show',
    usage: 'ADDRESS|ID|me',
    summary: 'one account',
    run: async (context) => context.output.record(await context.api().call('GET', await accountPath(context))),
  },
  ...(['enable', 'disable'] as const).map(
    (verb): Command => ({
      name: `account ${verb}`,
      usage: 'ADDRESS|ID',
      summary: verb === 'enable' ? 'let it log in and get mail again' : 'no logins, no new mail; what is there stays',
      run: async (context) =>
        context.output.record(
          await context.api().call('PATCH', await accountPath(context), { enabled: verb === 'enable' }),
        ),
    }),
  ),
  {
    name: 'account password',
    usage: 'ADDRESS|ID --new-password-file FILE',
    summary: 'set an account’s password',
    options: { 'new-password-file': { type: 'string' } },
    async run(context) {
      const password = passwordFrom(context);
      if (password === undefined) throw new UsageError('--new-password-file is missing');
      await context.api().call('PATCH', await accountPath(context), { password });
      context.output.say('the password is changed');
    },
  },
  {
    name: 'account remove',
    usage: 'ADDRESS|ID',
    summary: 'remove an account and all its mail, for good',
    async run(context) {
      await context.api().call('DELETE', await accountPath(context));
      context.output.say(`removed ${word(context, 0, 'ADDRESS')}`);
    },
  },
];

async function add(context: CommandContext): Promise<void> {
  const given = passwordFrom(context);
  const password = given ?? randomBytes(15).toString('base64url');
  const quota = quotaOf(context);
  const name = context.option('name');
  const account = await context.api().call('POST', path, {
    address: word(context, 0, 'ADDRESS'),
    password,
    ...(name === undefined ? {} : { displayName: name }),
    ...(quota === undefined ? {} : { quota }),
  });
  context.output.record(given === undefined ? { ...account, password } : account);
}

function passwordFrom(context: CommandContext): string | undefined {
  const file = context.option('new-password-file');
  return file === undefined ? undefined : readFileSync(file, 'utf8').replace(/\r?\n$/, '');
}

function quotaOf(context: CommandContext): { bytes: number | null; messages: number | null } | undefined {
  const [bytes, messages] = ['quota-bytes', 'quota-messages'].map((name) => {
    const text = context.option(name);
    if (text === undefined) return null;
    if (!/^\d{1,15}$/.test(text)) throw new UsageError(`--${name} takes a whole number`);
    return Number(text);
  });
  return bytes === null && messages === null ? undefined : { bytes: bytes ?? null, messages: messages ?? null };
}

/** The path of the account that is named by id, `me` or address. */
async function accountPath(context: CommandContext): Promise<string> {
  const named = word(context, 0, 'ADDRESS');
  if (!named.includes('@')) return `${path}/${encodeURIComponent(named)}`;
  const accounts = await context.api().list(path, 1_000_000);
  const found = accounts.find(({ address }) => String(address).toLowerCase() === named.toLowerCase());
  if (found === undefined) throw new UsageError(`there is no account ${named}`);
  return `${path}/${String(found['id'])}`;
}
