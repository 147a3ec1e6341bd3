import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { encodeReply, type ReceivedQuery, readQuery } from './encode.ts';
import { answerTo, type Entry, type RecordType, recordTypes, type Zones } from './zones.ts';

export interface DnsServer {
  /** `127.0.0.1:port`, UDP and TCP: a value for WAYPOST_DNS_SERVERS. */
  address: string;
  host: string;
  port: number;
  /** All that was asked, oldest first; empty it at will. */
  queries: SeenQuery[];
  /** How often a name (and type) was asked. */
  asked(name: string, type?: RecordType): number;
  /** Changes or adds what is said from now on; undefined removes it. `*` as type: every type of the name. */
  set(name: string, type: RecordType | '*', entry: Entry | undefined): void;
  close(): Promise<void>;
}

export interface SeenQuery {
  name: string;
  type: string;
  transport: 'udp' | 'tcp';
  edns: boolean;
  dnssec: boolean;
}

export interface DnsServerOptions {
  /** Entries that don't say else are validated (AD); default false. */
  authentic?: boolean;
  /** CNAMEs are followed, as a resolver does; false: the reply stops at the first. Default true. */
  chase?: boolean;
  /** SOA minimum, seconds; default 60. */
  negativeTtl?: number;
}

/** A name server on loopback that says what it is told to: the internet of the tests. */
export async function startDns(zones: Zones = {}, options: DnsServerOptions = {}): Promise<DnsServer> {
  const server = new TestDns(options);
  for (const [name, types] of Object.entries(zones))
    for (const type of recordTypes) if (types[type] !== undefined) server.set(name, type, types[type]);
  await server.listen();
  return server;
}

class TestDns implements DnsServer {
  readonly host = '127.0.0.1';
  port = 0;
  readonly queries: SeenQuery[] = [];
  readonly #options: DnsServerOptions;
  readonly #table = new Map<string, Map<RecordType, Entry>>();
  readonly #connections = new Set<Socket>();
  readonly #delays = new Set<NodeJS.Timeout>();
  #udp: UdpSocket | undefined;
  #tcp: Server | undefined;

  constructor(options: DnsServerOptions) {
    this.#options = options;
  }

  get address(): string {
    return `${this.host}:${this.port}`;
  }

  asked(name: string, type?: RecordType): number {
    return this.queries.filter((query) => query.name === name && (type === undefined || query.type === type)).length;
  }

  set(name: string, type: RecordType | '*', entry: Entry | undefined): void {
    const types = this.#table.get(name) ?? new Map<RecordType, Entry>();
    for (const one of type === '*' ? recordTypes : [type])
      if (entry === undefined) types.delete(one);
      else types.set(one, entry);
    if (types.size > 0) this.#table.set(name, types);
    else this.#table.delete(name);
  }

  /** The same port for both; a UDP port that is taken means another try. */
  async listen(): Promise<void> {
    for (let tries = 0; ; tries++) {
      const tcp = createServer((socket) => this.#onConnection(socket));
      tcp.listen(0, this.host);
      await once(tcp, 'listening');
      const bound = tcp.address();
      const port = bound !== null && typeof bound === 'object' ? bound.port : 0;
      const udp = createSocket('udp4');
      udp.bind(port, this.host);
      try {
        await once(udp, 'listening');
      } catch (error) {
        tcp.close();
        if (tries >= 20) throw error;
        continue;
      }
      udp.on('message', (message, from) => {
        this.#answer(message, 'udp', (reply) => udp.send(reply, from.port, from.address, () => undefined));
      });
      this.#udp = udp;
      this.#tcp = tcp;
      this.port = port;
      return;
    }
  }

  async close(): Promise<void> {
    for (const timer of this.#delays) clearTimeout(timer);
    for (const socket of this.#connections) socket.destroy();
    const closed = [this.#udp, this.#tcp].map(
      (server) => new Promise<void>((resolve) => server?.close(() => resolve())),
    );
    await Promise.all(closed);
  }

  #onConnection(socket: Socket): void {
    this.#connections.add(socket);
    let received = Buffer.alloc(0);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#connections.delete(socket));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      this.#answer(received.subarray(2), 'tcp', (reply) => {
        const length = Buffer.alloc(2);
        length.writeUInt16BE(reply.length);
        socket.end(Buffer.concat([length, reply]));
      });
    });
  }

  #answer(message: Buffer, transport: SeenQuery['transport'], send: (reply: Buffer) => void): void {
    const query = readQuery(message);
    this.queries.push({ name: query.name, type: query.type, transport, edns: query.edns, dnssec: query.dnssec });
    const { authentic = false, chase = true } = this.#options;
    const said = answerTo(this.#table, query, { authentic, chase });
    const replies = this.#replies(query, said, transport);
    const sendAll = (): void => {
      for (const reply of replies) send(reply);
    };
    if (said.delayMs === 0) sendAll();
    else {
      const timer = setTimeout(() => {
        this.#delays.delete(timer);
        sendAll();
      }, said.delayMs);
      this.#delays.add(timer);
    }
  }

  #replies(query: ReceivedQuery, said: ReturnType<typeof answerTo>, transport: SeenQuery['transport']): Buffer[] {
    const negativeTtl = this.#options.negativeTtl ?? 60;
    const answered = said.exists || said.answers.length > 0;
    const good = { rcode: answered ? 0 : 3, negativeTtl };
    const reply = encodeReply(query, said, good);
    const other = { ...query, head: Buffer.from(query.head) };
    const failed = (rcode: number): Buffer[] => [
      encodeReply(query, { ...said, answers: [], authentic: false }, { rcode, negativeTtl }),
    ];
    const wrongId = (distance: number): Buffer =>
      encodeReply(query, said, { ...good, id: (query.id + distance) & 0xffff });
    switch (said.fault) {
      case undefined:
        return [reply];
      case 'servfail':
        return failed(2);
      case 'nxdomain':
        return [encodeReply(query, { ...said, answers: [] }, { rcode: 3, negativeTtl })];
      case 'refused':
        return failed(5);
      case 'noEdns':
        return query.edns ? failed(1) : [reply];
      case 'drop':
        return [];
      case 'truncated':
        return transport === 'tcp' ? [reply] : [encodeReply(query, said, { ...good, truncated: true })];
      case 'alwaysTruncated':
        return [encodeReply(query, said, { ...good, truncated: true })];
      case 'wrongId':
        return [wrongId(1)];
      case 'wrongQuestion':
        // Another first letter of the name that was asked.
        other.head[13] = other.head[13]! === 0x7a ? 0x79 : 0x7a;
        return [encodeReply(other, said, good)];
      case 'guesses':
        return transport === 'tcp' ? [reply] : [...Array.from({ length: 20 }, (_, i) => wrongId(i + 1)), reply];
      case 'garbage':
        return [Buffer.concat([reply.subarray(0, 12), Buffer.alloc(40, 0xff)])];
      case 'cutOff':
        return [reply.subarray(0, Math.floor(reply.length / 2))];
    }
  }
}
