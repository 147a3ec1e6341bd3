import { type Command, type CommandContext, UsageError, word } from '../command.ts';
import { filterOf, filterOptions, filterUsage } from './queue-filter.ts';

const path = '/api/v1/queue';

interface Action {
  name: string;
  usage?: string;
  summary: string;
  /** Options that the action takes itself. */
  takes?: readonly string[];
  body?: (context: CommandContext) => Record<string, unknown>;
}

const actions: readonly Action[] = [
  { name: 'hold', summary: 'no attempts until it is released' },
  { name: 'release', summary: 'let a held delivery go on' },
  { name: 'retry', summary: 'the next attempt now' },
  { name: 'cancel', summary: 'end it without a report to the sender' },
  {
    name: 'bounce',
    usage: '[--text TEXT]',
    summary: 'end it as failed: the sender gets a report with the text',
    takes: ['text'],
    body: (context) => given({ text: context.option('text') }),
  },
  {
    name: 'reroute',
    usage: '(--route NAME | --host HOST[:PORT] | --no-route)',
    summary: 'send it by another route or to another host; --no-route: as its domain says again',
    takes: ['route', 'host'],
    body: rerouteBody,
  },
  {
    name: 'recipient',
    usage: '--to ADDRESS',
    summary: 'deliver it to another address',
    takes: ['to'],
    body: (context) => {
      const to = context.option('to');
      if (to === undefined) throw new UsageError('--to is missing');
      return { recipient: to };
    },
  },
];

/** Each of one delivery (ID), or of all that match a filter. */
export const queueActionCommands: readonly Command[] = actions.map(
  ({ name, usage, summary, takes = [], body }): Command => ({
    name: `queue ${name}`,
    usage: `(ID | ${filterUsage} [--dry-run])${usage === undefined ? '' : ` ${usage}`}`,
    summary: `${summary}; of one, or of all that match`,
    options: {
      ...filterOptions,
      ...Object.fromEntries(takes.map((option) => [option, { type: 'string' as const }])),
      ...(name === 'reroute' && { 'no-route': { type: 'boolean' as const } }),
      'dry-run': { type: 'boolean' },
    },
    async run(context) {
      const filter = filterOf(context);
      const wanted = body?.(context);
      if (Object.keys(filter).length > 0) await actOnAll(context, { action: name, filter, ...wanted });
      else await actOnOne(context, name, wanted);
    },
  }),
);

async function actOnOne(context: CommandContext, name: string, body: Record<string, unknown> | undefined) {
  const id = word(context, 0, 'ID or a filter');
  if (context.flag('dry-run')) throw new UsageError('--dry-run goes with a filter');
  const delivery = await context.api().call('POST', `${path}/deliveries/${encodeURIComponent(id)}/${name}`, body);
  if (context.output.json) context.output.record(delivery);
  else if (delivery['state'] === 'leased')
    context.output.say(`${name}: ${id}: an attempt is under way, it happens when that ends`);
  else context.output.say(`${name}: ${id}: ${String(delivery['state'])}`);
}

/** Call after call, until nothing more matches. */
async function actOnAll(context: CommandContext, body: Record<string, unknown>): Promise<void> {
  if (context.words.length > 0) throw new UsageError('an ID or a filter, not both');
  const dryRun = context.flag('dry-run');
  const total = { matched: 0, changed: 0 };
  let actionId: unknown = null;
  let cursor: unknown;
  do {
    const call = { ...body, dryRun, ...(typeof cursor === 'string' && { cursor }) };
    const answer = await context.api().call('POST', `${path}/actions`, call);
    total.matched += Number(answer['matched']);
    total.changed += Number(answer['changed']);
    actionId = answer['actionId'];
    cursor = answer['nextCursor'];
  } while (typeof cursor === 'string');
  context.output.record(dryRun ? { matched: total.matched } : { ...total, actionId });
}

function rerouteBody(context: CommandContext): Record<string, unknown> {
  const [route, host] = [context.option('route'), context.option('host')];
  const chosen = [route !== undefined, host !== undefined, context.flag('no-route')].filter(Boolean).length;
  if (chosen !== 1) throw new UsageError('one of --route, --host and --no-route is needed');
  if (host === undefined) return { route: route ?? null };
  const [, name = host, port] = /^\[?([^[\]]+?)\]?(?::(\d{1,5}))?$/.exec(host) ?? [];
  // An IPv6 address without brackets has no port.
  if (host.split(':').length > 2 && !host.startsWith('[')) return { host };
  return { host: name, ...(port !== undefined && { port: Number(port) }) };
}

const given = (fields: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
