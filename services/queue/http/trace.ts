import { wantsFailureReport } from '../../../libs/delivery/owed.ts';
import type { DeliveryRow, Via } from '../../../libs/delivery/row.ts';
import { isFinal } from '../../../libs/delivery/state.ts';
import type { RouteHost } from '../../../libs/routing/result.ts';
import type { AttemptRow, Deliveries } from '../../../libs/store/ports/deliveries.ts';
import type { Directory } from '../../../libs/store/ports/directory.ts';
import type { Groups } from '../../../libs/store/ports/groups.ts';
import type { Spool } from '../../../libs/store/ports/spool.ts';
import type { FindRoute } from '../remote/routes.ts';
import { reportId } from '../reports/report-id.ts';

export interface TraceDeps {
  spool: Pick<Spool, 'read'>;
  deliveries: Pick<Deliveries, 'ofMessage'>;
  directory: Pick<Directory, 'accounts'>;
  groups: Pick<Groups, 'standing'>;
  findRoute: FindRoute;
}

export interface TraceEntry extends Omit<AttemptRow, 'reply'> {
  reply?: string;
}

/** All that is known of a delivery, oldest first: its acceptance, attempts and what operators did, how it failed, and what its sender was told. */
export async function traceOf(
  deps: TraceDeps,
  row: DeliveryRow,
  attempts: readonly AttemptRow[],
): Promise<TraceEntry[]> {
  const [accepted, reported] = await Promise.all([acceptedEntry(deps, row), reportedEntry(deps, row)]);
  const failed = failedEntry(row, attempts);
  return [
    accepted,
    ...attempts,
    ...(failed === undefined ? [] : [failed]),
    ...(reported === undefined ? [] : [reported]),
  ];
}

async function acceptedEntry({ spool, directory }: TraceDeps, row: DeliveryRow): Promise<TraceEntry> {
  const what = `${row.sizeBytes} bytes from <${row.sender}>`;
  // Bodies go a day after the last delivery of a message, and what is known of their way with them.
  const source = (await spool.read([row.messageId])).get(row.messageId)?.source;
  if (source === undefined) return { at: row.acceptedAt, event: 'accepted', reply: what };
  const { by, accountId, remoteAddress: address, helo: host, tls } = source;
  const account = accountId === undefined ? undefined : (await directory.accounts([accountId])).get(accountId);
  const who = accountId === undefined ? '' : `, sent by ${account?.address ?? `the former account ${accountId}`}`;
  return {
    at: row.acceptedAt,
    event: 'accepted',
    ...(host !== undefined && { host }),
    ...(address !== undefined && { address }),
    ...(tls !== undefined && { tls }),
    reply: `by ${by}, ${what}${who}`,
  };
}

/** Failures that no server's answer to an attempt tells of. */
function failedEntry(row: DeliveryRow, attempts: readonly AttemptRow[]): TraceEntry | undefined {
  if (row.state !== 'failed' && row.state !== 'reporting' && row.state !== 'bounced') return undefined;
  const last = attempts.findLast(({ event }) => !event.endsWith('reported'));
  if (last?.event === 'failed' || last?.event === 'bounce') return undefined;
  const byOperator = attempts.some(({ event }) => event === 'bounce') && row.lastReply !== last?.reply;
  if (byOperator)
    return {
      at: last?.at ?? row.updatedAt,
      event: 'failed',
      ...(row.lastReply !== undefined && { reply: row.lastReply }),
    };
  return { at: row.expiresAt, event: 'expired', reply: 'it was not delivered in its time' };
}

async function reportedEntry({ deliveries }: TraceDeps, row: DeliveryRow): Promise<TraceEntry | undefined> {
  if (row.state !== 'bounced' || row.report === undefined) return undefined;
  const entry = { at: row.updatedAt, event: 'failure reported' };
  if (!wantsFailureReport(row)) return { ...entry, reply: 'to nobody: the sender is null, or asked not to be told' };
  const id = reportId(row.messageId, row.report, 'failure');
  const [report] = await deliveries.ofMessage(id);
  if (report === undefined) return { ...entry, reply: `to nobody that is there still, as the message ${id}` };
  return { ...entry, reply: `to <${report.recipient}> as the message ${id}: ${report.state}` };
}

export interface ShownRoute {
  group: string | null;
  via: string | null;
  hosts: { host: string; port: number; addresses: string[]; group: string; tls: string }[] | null;
  problem: string | null;
}

/** Where mail for outside goes, as far as it goes anywhere still; null for mailboxes here. */
export async function routeOf(
  { groups, findRoute }: TraceDeps,
  row: DeliveryRow,
  signal: AbortSignal,
): Promise<ShownRoute | null> {
  if (row.kind !== 'remote') return null;
  const { destination, sender, via } = row;
  const group = (await groups.standing([destination])).get(destination)?.group?.group ?? null;
  const shown = { group, via: via === undefined ? null : nameOf(via), hosts: null, problem: null };
  if (isFinal(row.state) || (via !== undefined && !('route' in via))) return shown;
  const limit = AbortSignal.any([signal, AbortSignal.timeout(lookUpMs)]);
  try {
    const found = await findRoute({ destination, sender }, limit);
    if (found.kind === 'routed') return { ...shown, hosts: found.hosts.map(showHost) };
    const { code, status, text } = found.reply;
    return { ...shown, problem: `${code} ${status} ${text}` };
  } catch {
    // The trace is worth showing without it.
    return { ...shown, problem: 'the way could not be looked up in time' };
  }
}

/** Who looks at a trace doesn't wait longer for the DNS. */
const lookUpMs = 2_000;

function showHost({ name, port, addresses, group, tls, tlsFrom }: RouteHost) {
  const policy = tlsFrom === 'default' ? tls.mode : `${tls.mode} (${tlsFrom})`;
  return { host: name, port, addresses: addresses.map(({ address }) => address), group, tls: policy };
}

const nameOf = (via: Via): string => ('route' in via ? `route ${via.route}` : `${via.host}:${via.port}`);
