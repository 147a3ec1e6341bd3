import { connect, type Socket } from 'node:net';
import { ConnectFailed } from './failures.ts';

export interface DialRequest {
  /** IP address. */
  address: string;
  port: number;
  /** To bind; default: what the system chooses. */
  localAddress?: string;
  signal: AbortSignal;
}

/** A TCP connection. Rejects with {@link ConnectFailed}; the socket is closed then. */
export async function dial({ address, port, localAddress, signal }: DialRequest, limitMs: number): Promise<Socket> {
  const socket = connect({ host: address, port, noDelay: true, ...(localAddress !== undefined && { localAddress }) });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onError = (error: Error): void => reject(error);
  const onAbort = (): void => reject(new Error('aborted'));
  const timer = setTimeout(
    () => reject(Object.assign(new Error('no connection in time'), { code: 'ETIMEDOUT' })),
    limitMs,
  );
  socket.once('connect', resolve).on('error', onError);
  signal.addEventListener('abort', onAbort);
  if (signal.aborted) onAbort();
  try {
    await promise;
    socket.off('error', onError);
    return socket;
  } catch (error) {
    await closed(socket);
    throw new ConnectFailed(error instanceof Error && 'code' in error ? String(error.code) : 'aborted', error);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

/** Destroys the socket and resolves when it is closed. */
export function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) {
      resolve();
      return;
    }
    // What goes wrong with a socket that is given up is nobody's concern; without a listener it would end the process.
    socket.on('error', () => undefined);
    socket.once('close', () => resolve());
    socket.destroy();
  });
}
