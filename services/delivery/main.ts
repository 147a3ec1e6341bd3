import type { Registry } from 'prom-client';
import type { Logger } from '../../libs/ops/logger.ts';
import type { Readiness, Service } from '../../libs/runtime/service.ts';
import { deliveryMetrics } from './metrics.ts';

export interface DeliveryDeps {
  log: Logger;
  metrics: Registry;
}

/**
 * SMTP to other servers. It isn't part of this release: mail to outside is refused at RCPT and over HTTP, so no row waits for it. The service stands in
 * its place, so that a process of five services is one of five from the first day.
 */
export function createDelivery({ log, metrics }: DeliveryDeps): Service {
  deliveryMetrics(metrics);
  let state: Readiness = { ready: false, degraded: [], reason: 'not started' };
  return {
    name: 'delivery',
    async start() {
      log.info('delivery to other servers is not part of this release: their addresses are refused');
      state = { ready: true, degraded: [] };
    },
    async stop() {
      state = { ready: false, degraded: [], reason: 'shutting down' };
    },
    readiness: () => state,
  };
}
