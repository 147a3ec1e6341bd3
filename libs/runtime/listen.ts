import type { Server as HttpServer } from 'node:http';
import type { Server } from 'node:net';

interface Address {
  host: string;
  port: number;
}

/** The address can't be listened on; the message says which and why, for people. */
class CannotListen extends Error {
  override readonly name = 'CannotListen';
}

/** Listens, and tells the address with the port that was taken (0 asks for a free one). Rejects with {@link CannotListen}. */
export function listenOn(server: Server, address: Address, options: { backlog?: number } = {}): Promise<Address> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => reject(new CannotListen(describe(address, error)));
    server.once('error', onError);
    // Without a host Node takes every address, IPv6 and IPv4.
    const where = address.host === '' ? { port: address.port } : { host: address.host, port: address.port };
    server.listen({ ...where, backlog: options.backlog ?? 1024 }, () => {
      server.off('error', onError);
      const taken = server.address();
      resolve({ host: address.host, port: typeof taken === 'object' && taken !== null ? taken.port : address.port });
    });
  });
}

/** `host:port` as it can be written into a URL; an address that means all is shown as 127.0.0.1. */
export function formatAddress(address: Address): string {
  return `${connectHost(address.host)}:${address.port}`;
}

/** The host that a client on this machine connects to, with brackets when it is an IPv6 address. */
export function connectHost(host: string): string {
  if (host === '' || host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '[::1]';
  return host.includes(':') ? `[${host}]` : host;
}

/** Takes no new connection, closes those without a request, waits `graceMs` for the others, then cuts them. */
export async function closeServer(server: HttpServer, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  // Kept connections stay open when their request ends while the server is closing.
  const sweeping = setInterval(() => server.closeIdleConnections(), sweepIdleMs);
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearInterval(sweeping);
  clearTimeout(timer);
}

const sweepIdleMs = 20;

function describe(address: Address, error: NodeJS.ErrnoException): string {
  const where = `${address.host === '' ? '*' : address.host}:${address.port}`;
  if (error.code === 'EADDRINUSE') return `${where} is in use by another program`;
  if (error.code === 'EACCES') return `${where} needs rights that this user doesn't have (ports under 1024)`;
  if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND') return `${where} is not an address of this machine`;
  return `${where}: ${error.message}`;
}
