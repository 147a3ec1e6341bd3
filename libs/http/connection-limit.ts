import type { Server } from 'node:http';
import { Counter } from 'prom-client';
import type { Registry } from 'prom-client';
import { clientNetwork } from '../runtime/client-network.ts';
import { isLoopbackHost } from '../runtime/loopback.ts';
import { createNetworkList } from '../runtime/network-list.ts';

export interface ConnectionLimits {
  /** Each costs some 50 KB with its buffers. */
  all: number;
  /** Of one network, so that one host can't take them all. */
  ofNetwork: number;
}

export const connectionLimits: ConnectionLimits = { all: 4000, ofNetwork: 1000 };

/** Closes connections past the limits as soon as they come. Proxies of ours and this machine have all clients behind them: only `all` holds for them. */
export function limitConnections(
  server: Server,
  {
    limits,
    trustedProxies,
    metrics,
  }: { limits: ConnectionLimits; trustedProxies: readonly string[]; metrics: Registry },
): void {
  const isProxy = createNetworkList(trustedProxies);
  const open = new Map<string, number>();
  const refused = new Counter({
    name: 'waypost_http_connections_refused_total',
    help: 'Connections closed unread because there were too many: in all, or of one network.',
    labelNames: ['limit'],
    registers: [metrics],
  });
  server.maxConnections = limits.all;
  server.on('drop', () => refused.inc({ limit: 'all' }));
  server.on('connection', (socket) => {
    const address = socket.remoteAddress ?? '';
    if (isLoopbackHost(address) || isProxy(address)) return;
    const network = clientNetwork(address);
    const count = open.get(network) ?? 0;
    if (count >= limits.ofNetwork) {
      refused.inc({ limit: 'network' });
      socket.destroy();
      return;
    }
    open.set(network, count + 1);
    socket.once('close', () => {
      const left = (open.get(network) ?? 1) - 1;
      if (left === 0) open.delete(network);
      else open.set(network, left);
    });
  });
}
