import type { BatchRow } from '../../../libs/delivery/worker/claim-of.ts';
import type { HealthReport } from '../../../libs/delivery/limits/health.ts';
import type { Limits } from '../../../libs/delivery/limits/limits.ts';
import type { Logger } from '../../../libs/ops/logger.ts';
import type { Clock } from '../../../libs/runtime/clock.ts';
import { ContentUnfit } from '../../../libs/smtp/client/dot-stuffing.ts';
import { SessionAborted } from '../../../libs/smtp/client/failures.ts';
import type { RecipientOutcome } from '../../../libs/smtp/client/outcome.ts';
import type { TransactionResult } from '../../../libs/smtp/client/transaction.ts';
import { isStoreTrouble } from '../../../libs/store/errors.ts';
import type { SpooledMessage } from '../../../libs/store/ports/spool.ts';
import { type Content, type PrepareDeps, withContent } from '../message/outgoing.ts';
import type { DeliveryMetrics } from '../metrics.ts';
import { healthOf, isStale, resultOf, type Schedule, tlsText } from './outcomes.ts';
import type { Connection } from './sessions.ts';
import type { RowEnd } from './settlement.ts';

export interface TransactDeps extends PrepareDeps {
  schedule: Schedule;
  health: { saw(what: keyof HealthReport, group: { group: string; limits: Limits }): void };
  clock: Clock;
  log: Logger;
  metrics: DeliveryMetrics;
}

interface TransactRequest {
  rows: readonly BatchRow[];
  reversePath: string | undefined;
  message: SpooledMessage | undefined;
  connection: Connection;
  /** Messages went over the connection before, and no other was tried for this one. */
  mayBeStale: boolean;
  signal: AbortSignal;
}

/**
 * One transaction. `ends` and `outcomes` are in the order of the rows. `untouched`: `stale` when the connection had ended before the server heard of the message; `cut`
 * when we have ended it. Rejects with trouble of the store.
 */
export async function transactRows(
  request: TransactRequest,
  deps: TransactDeps,
): Promise<{ ends: RowEnd[]; outcomes: readonly RecipientOutcome[]; untouched?: 'stale' | 'cut' }> {
  const { rows, connection } = request;
  const { session, permit, group } = connection;
  const { clock, metrics, schedule } = deps;
  const startedMs = clock.monotonicMs();
  const { outcomes, sent, bodyError } = await send(request, deps);
  metrics.attemptSeconds.observe((clock.monotonicMs() - startedMs) / 1000);
  if (bodyError !== undefined)
    deps.log.error({ err: bodyError, messageId: rows[0]?.messageId }, 'a message could not be sent as it is');
  const at = clock.nowMs();
  const tls = tlsText(session);
  const about = { host: session.host, address: session.address, ...(tls !== undefined && { tls }) };
  const ends = rows.map((row, index): RowEnd => {
    const said = outcomes[index] ?? unsaid(row);
    return { row, result: resultOf(row, said, { dsn: session.capabilities.dsn, at, schedule }), with: about };
  });
  count(outcomes, sent, metrics);
  if (session.failure instanceof SessionAborted && !bodyError) return { ends, outcomes, untouched: 'cut' };
  if (request.mayBeStale && sent !== undefined && isStale(outcomes)) return { ends, outcomes, untouched: 'stale' };
  const health = healthOf(outcomes);
  if (health !== undefined) deps.health.saw(health, { group, limits: permit.limits });
  return { ends, outcomes };
}

type Sent = Pick<TransactionResult, 'outcomes' | 'bodyError'> & { sent?: Content };

/** Nothing of `sent`: the server wasn't asked. */
async function send(
  { rows, reversePath, message, connection, signal }: TransactRequest,
  deps: TransactDeps,
): Promise<Sent> {
  const { session } = connection;
  if (message === undefined) return { outcomes: rows.map((row) => unread(row, new Error('it is not in the spool'))) };
  try {
    return await withContent(message, session.capabilities, deps, signal, async (prepared) => {
      if ('cannotConvert' in prepared)
        // RFC 6152 §3, RFC 3463 §3.7: X.6.3, conversion required but not supported.
        return {
          outcomes: rows.map((row) =>
            refused(row, '5.6.3', `the server takes 7-bit mail only: ${prepared.cannotConvert}`),
          ),
        };
      const { envelope } = message;
      const { content } = prepared;
      const { outcomes, bodyError } = await session.send(
        {
          mailFrom: reversePath ?? envelope.reversePath,
          recipients: rows.map(({ recipient, notify, originalRecipient }) => ({
            address: recipient,
            ...(notify !== undefined && { notify }),
            ...(originalRecipient !== undefined && { orcpt: originalRecipient }),
          })),
          ...(envelope.envid !== undefined && { envid: envelope.envid }),
          ...(envelope.ret !== undefined && { ret: envelope.ret }),
          ...content,
        },
        { signal },
      );
      // Its bytes won't change: to try again would end the same.
      if (bodyError instanceof ContentUnfit && bodyError.flaw !== 'size')
        return { outcomes: rows.map((row) => refused(row, '5.6.0', bodyError.message)), bodyError };
      return { outcomes, bodyError, sent: content };
    });
  } catch (error) {
    if (isStoreTrouble(error) || signal.aborted || !(error instanceof Error))
      throw signal.aborted ? new SessionAborted('idle') : error;
    return { outcomes: rows.map((row) => unread(row, error)), bodyError: error };
  }
}

const unread = ({ recipient: address }: BatchRow, error: Error): RecipientOutcome => ({
  ...ours(address),
  kind: 'temporary',
  enhanced: '4.3.0',
  text: `the message can't be read: ${error.name}`,
});

const refused = ({ recipient: address }: BatchRow, enhanced: string, text: string): RecipientOutcome => ({
  ...ours(address),
  kind: 'permanent',
  enhanced,
  text,
});

const unsaid = (row: BatchRow): RecipientOutcome => unread(row, new Error('no outcome'));
const ours = (address: string) => ({ address, stage: 'mail', source: 'client', host: '' }) as const;

function count(outcomes: readonly RecipientOutcome[], sent: Content | undefined, metrics: DeliveryMetrics): void {
  for (const { stage, source, code, unknown } of outcomes) {
    metrics.replies.inc({ stage, class: source === 'reply' ? `${Math.floor((code ?? 0) / 100)}xx` : source });
    if (unknown) metrics.unknown.inc();
  }
  if (sent !== undefined && outcomes.some(({ kind }) => kind === 'delivered')) metrics.bytes.inc(sent.sizeBytes);
}
