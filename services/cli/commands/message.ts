import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { type Command, type CommandContext, UsageError, word } from '../command.ts';

const many = { type: 'string', multiple: true } as const;

/** Sending and reading as the user that the credentials name. */
export const messageCommands: readonly Command[] = [
  {
    name: 'send',
    usage: '--to ADDRESS… [--cc …] [--bcc …] [--subject TEXT] [--text TEXT | --text-file FILE] [--attach FILE]…',
    summary: 'send a message; it is durable when the command ends',
    options: {
      to: many,
      cc: many,
      bcc: many,
      from: { type: 'string' },
      subject: { type: 'string' },
      text: { type: 'string' },
      'text-file': { type: 'string' },
      attach: many,
      at: { type: 'string' },
    },
    run: send,
  },
  {
    name: 'list',
    usage: '[--mailbox inbox] [--text WORDS] [--limit N]',
    summary: 'list messages, newest first',
    options: { mailbox: { type: 'string' }, text: { type: 'string' }, limit: { type: 'string' } },
    async run(context) {
      const query = new URLSearchParams({ mailbox: context.option('mailbox') ?? 'inbox' });
      const text = context.option('text');
      if (text !== undefined) query.set('text', text);
      const items = await context.api().list(`/api/v1/accounts/me/messages?${query.toString()}`, limitOf(context));
      const rows = context.output.json ? items : items.map((item) => ({ ...item, from: firstAddress(item['from']) }));
      context.output.rows(rows, ['id', 'receivedAt', 'from', 'subject']);
    },
  },
  {
    name: 'read',
    usage: 'ID',
    summary: 'show one message',
    async run(context) {
      const message = await context
        .api()
        .call('GET', `/api/v1/accounts/me/messages/${encodeURIComponent(word(context, 0, 'ID'))}`);
      if (context.output.json) {
        context.output.record(message);
        return;
      }
      for (const name of ['from', 'to', 'cc', 'subject', 'receivedAt', 'attachments'])
        context.output.record({ [name]: message[name] });
      context.output.say('');
      const { text } = message;
      for (const line of typeof text === 'string' ? text.split('\n') : [])
        context.output.say(line.replace(/[\p{Cc}\p{Cf}]/gu, ' '));
    },
  },
];

async function send(context: CommandContext): Promise<void> {
  const to = context.options('to');
  if (to.length + context.options('cc').length + context.options('bcc').length === 0)
    throw new UsageError('nobody to send to: give --to ADDRESS');
  const asAddresses = (list: readonly string[]) => list.map((email) => ({ email }));
  const file = context.option('text-file');
  const from = context.option('from');
  const body = {
    ...(from === undefined ? {} : { from: { email: from } }),
    to: asAddresses(to),
    cc: asAddresses(context.options('cc')),
    bcc: asAddresses(context.options('bcc')),
    subject: context.option('subject') ?? '',
    text: file === undefined ? (context.option('text') ?? '') : readFileSync(file, 'utf8'),
    attachments: context
      .options('attach')
      .map((path) => ({ name: basename(path), content: readFileSync(path).toString('base64') })),
    ...(context.option('at') === undefined ? {} : { sendAt: context.option('at') }),
  };
  // The key makes a repeat after a lost answer harmless.
  const sent = await context
    .api()
    .call('POST', '/api/v1/accounts/me/messages', body, { 'idempotency-key': randomUUID() });
  if (context.output.json) context.output.record(sent);
  else context.output.say(`accepted as ${String(sent['id'])}`);
}

function firstAddress(addresses: unknown): unknown {
  const first: unknown = Array.isArray(addresses) ? addresses[0] : undefined;
  return typeof first === 'object' && first !== null && 'email' in first ? first.email : '';
}

/** `--limit`, a whole number; default 50. */
export function limitOf(context: CommandContext): number {
  const limit = Number(context.option('limit') ?? 50);
  if (!Number.isInteger(limit) || limit < 1) throw new UsageError('--limit takes a whole number from 1');
  return limit;
}
