import { type AcceptDeps, acceptMessage } from '../../../libs/accept/accept.ts';
import type { Blobs } from '../../../libs/blobs/port.ts';
import type { DeliveryRow } from '../../../libs/delivery/row.ts';
import type { ScheduleConfig } from '../../../libs/delivery/schedules.ts';
import { type LocalHost, resolveAddresses } from '../../../libs/directory/resolve.ts';
import type { Clock } from '../../../libs/runtime/clock.ts';
import type { Deliveries } from '../../../libs/store/ports/deliveries.ts';
import type { Directory } from '../../../libs/store/ports/directory.ts';
import type { Spool } from '../../../libs/store/ports/spool.ts';
import { composeReport } from './compose-report.ts';
import type { ReportKind, ToldRow } from './recipient-report.ts';
import { reportId } from './report-id.ts';

export interface SendReportDeps extends AcceptDeps {
  spool: Spool;
  deliveries: Deliveries;
  directory: Directory;
  blobs: Blobs;
  host: LocalHost;
  schedules: ScheduleConfig;
  clock: Clock;
}

/** Accepts the n-th report of this kind on a message; undefined when its sender has no address any more that it could go to. Safe to repeat. */
export async function sendReport(
  deps: SendReportDeps,
  about: { messageId: string; kind: ReportKind; n: number; rows: readonly DeliveryRow[] },
): Promise<string | undefined> {
  const { directory, host, spool, blobs, clock, schedules } = deps;
  const { messageId, kind, n, rows } = about;
  const sender = rows[0]?.sender ?? '';
  const [resolution] = await resolveAddresses([sender], { directory, host });
  if (resolution?.kind !== 'local' && resolution?.kind !== 'remote') return undefined;
  const original = (await spool.read([messageId])).get(messageId);
  const id = reportId(messageId, n, kind);
  const report = await composeReport({
    id,
    kind,
    to: { recipient: sender, resolution },
    rows: await withAttempts(deps.deliveries, rows),
    original,
    blobs,
    hostname: host.hostname,
    domain: host.domain,
    nowMs: clock.nowMs(),
    schedules,
  });
  await acceptMessage(deps, report);
  return id;
}

async function withAttempts(deliveries: Deliveries, rows: readonly DeliveryRow[]): Promise<ToldRow[]> {
  const told: ToldRow[] = [];
  for (let at = 0; at < rows.length; at += readsAtOnce) {
    const some = rows.slice(at, at + readsAtOnce).map(async (row): Promise<ToldRow> => {
      return { row, attempts: row.attempts === 0 ? [] : ((await deliveries.get(row.id))?.attempts ?? []) };
    });
    told.push(...(await Promise.all(some)));
  }
  return told;
}

const readsAtOnce = 20;
