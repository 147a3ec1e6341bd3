import type { AcceptDeps } from '../../libs/accept/accept.ts';
import type { Ranks } from '../../libs/accept/ranks.ts';
import type { Blobs } from '../../libs/blobs/port.ts';
import type { Resolution } from '../../libs/bus/requests.ts';
import type { DestinationRules } from '../../libs/accept/impossible-domain.ts';
import type { ScheduleConfig } from '../../libs/delivery/schedules.ts';
import type { Verifier } from '../../libs/directory/verifier.ts';
import type { Logger } from '../../libs/ops/logger.ts';
import type { Clock } from '../../libs/runtime/clock.ts';
import type { DataMemory } from './data-memory.ts';
import type { Forwarding } from './forwarding.ts';
import type { IngressLimits } from './limits.ts';
import type { IngressMetrics } from './metrics.ts';
import type { SenderRights } from '../../libs/directory/sender-rights.ts';
import type { SpoolGate } from './spool-gate.ts';

/** What all listeners share. */
export interface IngressContext {
  /** Our name in greetings and trace headers. */
  hostname: string;
  maxMessageBytes: number;
  schedules: ScheduleConfig;
  limits: IngressLimits;
  clock: Clock;
  log: Logger;
  metrics: IngressMetrics;
  resolver: AddressResolver;
  verifier: Pick<Verifier, 'password' | 'isGood'>;
  senderRights: SenderRights;
  accept: AcceptDeps;
  ranks: Ranks;
  blobs: Blobs;
  dataMemory: DataMemory;
  gate: SpoolGate;
  destinations: DestinationRules;
  /** Whether a client of the MX listener may send to other domains without a login. */
  isTrusted: (address: string) => boolean;
  /** Known once the service has started; undefined without a secret. */
  forwarding: Forwarding | undefined;
}

/** What a listener is for: mail from other servers, mail from our own users, or mail from a server that trusts us with its last step. */
export type ListenerKind = 'mx' | 'submission' | 'lmtp';

/** Where mail to addresses goes, answered in order. Rejects when neither auth nor the store can be asked. */
export interface AddressResolver {
  resolve(addresses: readonly string[], signal?: AbortSignal): Promise<Resolution[]>;
}
