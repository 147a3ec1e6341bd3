import type { Registry } from 'prom-client';
import type { Bus } from '../../../libs/bus/port.ts';
import type { Verifier } from '../../../libs/directory/verifier.ts';
import type { Route } from '../../../libs/http/route.ts';
import { type CancelDeps, cancelRoute } from './cancel-route.ts';
import { changesRoute } from './changes-route.ts';
import { downloadRoutes } from './download-routes.ts';
import { eventStreams } from './events-route.ts';
import { listRoute } from './list-route.ts';
import { mailboxesRoutes } from './mailbox-routes.ts';
import { messageRoutes } from './message-routes.ts';
import { createOutbox, type OutboxDeps } from './outbox.ts';
import { rawMessages } from './raw-message.ts';
import { sendRoute } from './send-route.ts';

export interface MailboxHttpDeps extends OutboxDeps, Pick<CancelDeps, 'deliveries' | 'log'> {
  bus: Bus;
  metrics: Registry;
  verifier: Pick<Verifier, 'isGood'>;
}

/** The mailbox API: everything under an account but the account itself. `close` ends the event streams. */
export function mailboxRoutes(deps: MailboxHttpDeps): { routes: readonly Route[]; close(): Promise<void> } {
  const raw = rawMessages(deps);
  const streams = eventStreams(deps);
  const routes = [
    ...mailboxesRoutes(deps),
    listRoute(deps),
    sendRoute({ outbox: createOutbox(deps) }),
    cancelRoute(deps),
    ...messageRoutes({ ...deps, raw }),
    ...downloadRoutes({ ...deps, raw }),
    changesRoute(deps),
    streams.route,
  ];
  return { routes, close: () => streams.close() };
}
