import { once } from 'node:events';
import { connect } from 'node:net';

export interface RawAnswer {
  status: number;
  head: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into answers freely
  body: any;
}

/** Sends bytes as they are and reads one answer: for requests that no HTTP client would make. */
export async function rawHttp(port: number, request: string | Uint8Array): Promise<RawAnswer> {
  const socket = connect({ port, host: '127.0.0.1' });
  await once(socket, 'connect');
  socket.setTimeout(10_000, () => socket.destroy(new Error('no answer within 10 s')));
  socket.write(request);
  let bytes = Buffer.alloc(0);
  try {
    for await (const chunk of socket) {
      bytes = Buffer.concat([bytes, chunk]);
      const answer = parse(bytes);
      if (answer !== undefined) return answer;
    }
  } finally {
    socket.destroy();
  }
  throw new Error(`the connection ended within an answer: ${bytes.toString()}`);
}

/** Undefined while it isn't whole. */
function parse(bytes: Buffer): RawAnswer | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end === -1) return undefined;
  const head = bytes.toString('latin1', 0, end);
  const length = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
  if (bytes.length < end + 4 + length) return undefined;
  const body = bytes.toString('utf8', end + 4, end + 4 + length);
  return { status: Number(head.slice(9, 12)), head, body: body.startsWith('{') ? JSON.parse(body) : body };
}
