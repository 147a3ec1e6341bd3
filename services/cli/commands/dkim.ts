import { type Command, type CommandContext, UsageError, word } from '../command.ts';

export const dkimCommands: readonly Command[] = [
  {
    name: 'dkim list',
    usage: 'DOMAIN',
    summary: 'the keys that mail of a domain is signed with',
    run: async (context) => context.output.rows(await keysOf(context), keyColumns),
  },
  {
    name: 'dkim add',
    usage: 'DOMAIN [--algorithm rsa|ed25519] [--selector NAME]',
    summary: 'make a key of each algorithm, or the one named, and print the DNS records',
    options: { algorithm: { type: 'string' }, selector: { type: 'string' } },
    async run(context) {
      const selector = context.option('selector');
      const wanted = algorithmsOf(context.option('algorithm'));
      if (selector !== undefined && wanted.length > 1) throw new UsageError('--selector needs --algorithm');
      const made: Key[] = [];
      for (const algorithm of wanted) {
        const body = { algorithm, ...(selector === undefined ? {} : { selector }) };
        made.push(await context.api().call('POST', pathOf(context), body));
      }
      showRecords(context, made);
      context.output.say('\nPublish them, then: waypost dkim check DOMAIN, waypost dkim activate DOMAIN SELECTOR');
    },
  },
  {
    name: 'dkim records',
    usage: 'DOMAIN',
    summary: 'the DNS records of a domain’s keys, ready to paste',
    run: async (context) => showRecords(context, await keysOf(context)),
  },
  {
    name: 'dkim check',
    usage: 'DOMAIN',
    summary: 'whether the DNS has the records',
    async run(context) {
      const checked: Key[] = [];
      for (const { selector, state } of await keysOf(context)) {
        checked.push({ state, ...(await context.api().call('GET', `${pathOf(context)}/${String(selector)}/check`)) });
      }
      context.output.rows(checked, ['selector', 'state', 'result', 'detail']);
    },
  },
  {
    name: 'dkim activate',
    usage: 'DOMAIN SELECTOR [--keep-days N]',
    summary: 'sign with this key; the one it replaces is retired and removed after N days (7)',
    options: { 'keep-days': { type: 'string' } },
    run: (context) => change(context, 'activate'),
  },
  {
    name: 'dkim retire',
    usage: 'DOMAIN SELECTOR [--keep-days N]',
    summary: 'sign no longer with this key; it is removed after N days (7)',
    options: { 'keep-days': { type: 'string' } },
    run: (context) => change(context, 'retire'),
  },
  {
    name: 'dkim rotate',
    usage: 'DOMAIN [--now] [--keep-days N]',
    summary: 'new keys; they sign once the DNS has their records (or at once), and the old ones go N days (7) later',
    options: { now: { type: 'boolean' }, 'keep-days': { type: 'string' } },
    async run(context) {
      const body = { now: context.flag('now'), ...keepDaysOf(context) };
      const { items } = await context.api().call('POST', `${pathOf(context)}/rotate`, body);
      showRecords(context, Array.isArray(items) ? items : []);
      if (!body.now) context.output.say('\nPublish them: the keys sign by themselves once the DNS shows them.');
    },
  },
  {
    name: 'dkim remove',
    usage: 'DOMAIN SELECTOR',
    summary: 'remove a key that does not sign; its DNS record can go too',
    async run(context) {
      const selector = word(context, 1, 'SELECTOR');
      await context.api().call('DELETE', `${pathOf(context)}/${encodeURIComponent(selector)}`);
      context.output.say(`removed ${selector}`);
    },
  },
];

/** More than a domain may have. */
const mostKeys = 100;

type Key = Readonly<Record<string, unknown>>;

const keyColumns = ['selector', 'algorithm', 'state', 'createdAt', 'activatedAt', 'removeAt'];

const pathOf = (context: CommandContext): string =>
  `/api/v1/domains/${encodeURIComponent(word(context, 0, 'DOMAIN'))}/dkim`;

const keysOf = async (context: CommandContext): Promise<readonly Key[]> => {
  return context.api().list(pathOf(context), mostKeys);
};

async function change(context: CommandContext, to: 'activate' | 'retire'): Promise<void> {
  const selector = encodeURIComponent(word(context, 1, 'SELECTOR'));
  const { record: _, ...key } = await context
    .api()
    .call('POST', `${pathOf(context)}/${selector}/${to}`, keepDaysOf(context));
  context.output.record(key);
}

function keepDaysOf(context: CommandContext): { keepDays?: number } {
  const days = context.option('keep-days');
  if (days === undefined) return {};
  if (!/^\d{1,3}$/.test(days)) throw new UsageError('--keep-days takes a number of days, such as 7');
  return { keepDays: Number(days) };
}

function algorithmsOf(name: string | undefined): readonly string[] {
  if (name === undefined) return ['rsa-sha256', 'ed25519-sha256'];
  const found = ['rsa', 'ed25519'].find((known) => name === known || name === `${known}-sha256`);
  if (found === undefined) throw new UsageError('--algorithm is rsa or ed25519');
  return [`${found}-sha256`];
}

/** For people: as a line of a zone file, and as name and value for the forms of DNS providers. */
function showRecords({ output }: CommandContext, keys: readonly Key[]): void {
  if (output.json) {
    output.rows(keys, []);
    return;
  }
  for (const { selector, state, record } of keys) {
    if (typeof record !== 'object' || record === null) continue;
    const { name, value, zoneLine }: { name?: unknown; value?: unknown; zoneLine?: unknown } = record;
    output.say(`; ${String(selector)} (${String(state)})\n${String(zoneLine)}\n`);
    output.say(`Name   ${String(name)}\nType   TXT\nValue  ${String(value)}\n`);
  }
}
