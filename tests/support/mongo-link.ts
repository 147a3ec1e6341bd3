import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** What a request names: `insert` of `accepts`. */
export interface MongoRequest {
  command: string;
  collection: string;
}

type Matches = (request: MongoRequest) => boolean;

/** A way to one MongoDB server that loses replies, answers nothing, or holds a request back, as a test says. */
export class MongoLink {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #lose: { matches: Matches; times: number } | undefined;
  #hold: { matches: Matches; reached: () => void; released: Promise<void> } | undefined;
  #mute: Matches | undefined;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async to(target: string): Promise<MongoLink> {
    const [host = '', port] = target.split(':');
    const link: MongoLink = new MongoLink(createServer((client) => link.#join(client, connect(Number(port), host))));
    link.#server.listen(0, '127.0.0.1');
    await once(link.#server, 'listening');
    return link;
  }

  get url(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `mongodb://127.0.0.1:${port}/?directConnection=true`;
  }

  /** The next `times` matching requests reach the server; instead of the reply the connection ends. */
  loseReplies(times: number, matches: Matches): void {
    this.#lose = { matches, times };
  }

  /** Matching requests reach the server and are never answered, until `heal`. */
  mute(matches: Matches): void {
    this.#mute = matches;
  }

  heal(): void {
    this.#mute = undefined;
    this.#lose = undefined;
  }

  /** The next matching request waits here: resolves when it has come; it goes on when the returned function is called. */
  async hold(matches: Matches): Promise<() => void> {
    const reached = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    this.#hold = { matches, reached: reached.resolve, released: released.promise };
    await reached.promise;
    return released.resolve;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(client: Socket, server: Socket): void {
    let reply: 'forward' | 'lose' | 'mute' = 'forward';
    let rest = 0;
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    client.on('data', (chunk: Buffer) => {
      // A connection carries one request at a time, so each begins a chunk.
      const begins = rest <= 0;
      if (begins) rest = chunk.readInt32LE(0);
      rest -= chunk.length;
      const request = begins ? requestOf(chunk) : undefined;
      if (request === undefined) {
        server.write(chunk);
        return;
      }
      reply = this.#replyTo(request);
      const hold = this.#hold;
      if (hold?.matches(request) !== true) {
        server.write(chunk);
        return;
      }
      this.#hold = undefined;
      client.pause();
      hold.reached();
      void hold.released.then(() => {
        server.write(chunk);
        client.resume();
      });
    });
    server.on('data', (chunk: Buffer) => {
      if (reply === 'forward') client.write(chunk);
      else if (reply === 'lose') client.destroy();
    });
  }

  #replyTo(request: MongoRequest): 'forward' | 'lose' | 'mute' {
    if (this.#mute?.(request) === true) return 'mute';
    if (this.#lose === undefined || this.#lose.times === 0 || !this.#lose.matches(request)) return 'forward';
    this.#lose.times -= 1;
    return 'lose';
  }
}

const opMsg = 2013;
/** Header, flags, kind of section, length of the document, type of its first element. */
const firstKeyAt = 16 + 4 + 1 + 4 + 1;
const stringType = 2;

/** The first element of an OP_MSG names command and collection. */
function requestOf(message: Buffer): MongoRequest | undefined {
  if (message.length < firstKeyAt + 2 || message.readInt32LE(12) !== opMsg) return undefined;
  const end = message.indexOf(0, firstKeyAt);
  const command = message.toString('utf8', firstKeyAt, end);
  if (message[firstKeyAt - 1] !== stringType) return { command, collection: '' };
  const length = message.readInt32LE(end + 1);
  return { command, collection: message.toString('utf8', end + 5, end + 4 + length) };
}
