import { once } from 'node:events';
import { connect } from 'node:net';

/** The INFO line that a NATS server sends first. @throws when it has no JetStream, unless none is wanted */
export async function natsInfo(url: string, { jetstream = true } = {}): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port || 4222) });
  try {
    const [data] = await once(socket, 'data', { signal: AbortSignal.timeout(2000) });
    const line = String(data);
    if (!line.startsWith('INFO ')) throw new Error('what answers is no NATS server');
    if (jetstream && !/"jetstream":\s*true/.test(line)) throw new Error('the server has no JetStream');
    return line;
  } finally {
    socket.destroy();
  }
}
