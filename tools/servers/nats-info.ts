import { once } from 'node:events';
import { connect } from 'node:net';

/** The INFO line that a NATS server sends first. @throws when it has no JetStream */
export async function natsInfo(url: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port || 4222) });
  try {
    const [data] = await once(socket, 'data', { signal: AbortSignal.timeout(2000) });
    const line = String(data);
    if (!/^INFO .*"jetstream":\s*true/.test(line)) throw new Error('the server has no JetStream');
    return line;
  } finally {
    socket.destroy();
  }
}
