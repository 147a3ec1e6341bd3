import { connect, type Socket } from 'node:net';

export interface HttpFigures {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
}

/**
 * Sends the same GET over `connections` kept-alive connections, each waiting for its answer before it asks again, for `seconds` after one second of
 * warming up. Speaks just enough HTTP/1.1 to cost little beside the server on the same cores.
 */
export async function httpLoad(
  target: { port: number; path: string; authorization: string },
  load: { connections: number; seconds: number },
): Promise<HttpFigures> {
  const request = `GET ${target.path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${target.authorization}\r\n\r\n`;
  const times: number[] = [];
  const startedMs = performance.now();
  const measureFromMs = startedMs + 1000;
  const endMs = measureFromMs + load.seconds * 1000;
  await Promise.all(
    Array.from({ length: load.connections }, async () => {
      const client = new Client(target.port);
      while (performance.now() < endMs) {
        const askedMs = performance.now();
        await client.ask(request);
        if (askedMs >= measureFromMs) times.push(performance.now() - askedMs);
      }
      client.close();
    }),
  );
  times.sort((a, b) => a - b);
  const at = (share: number): number => Math.round((times[Math.floor(times.length * share)] ?? 0) * 10) / 10;
  return { perSecond: Math.round(times.length / load.seconds), p50Ms: at(0.5), p99Ms: at(0.99) };
}

class Client {
  readonly #socket: Socket;
  #missing = -1;
  #head = '';
  #resolve: () => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;

  constructor(port: number) {
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('data', (chunk) => this.#read(chunk));
    this.#socket.on('error', (error) => this.#reject(error));
  }

  ask(request: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      this.#socket.write(request, 'latin1');
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    let body = chunk.length;
    if (this.#missing < 0) {
      const before = this.#head.length;
      this.#head += chunk.toString('latin1');
      const end = this.#head.indexOf('\r\n\r\n');
      if (end < 0) return;
      if (!this.#head.startsWith('HTTP/1.1 200')) this.#reject(new Error(this.#head.slice(0, 300)));
      this.#missing = Number(/\r\ncontent-length: (\d+)/i.exec(this.#head.slice(0, end))?.[1]);
      body = before + chunk.length - (end + 4);
      this.#head = '';
    }
    this.#missing -= body;
    if (this.#missing > 0) return;
    this.#missing = -1;
    this.#resolve();
  }
}
