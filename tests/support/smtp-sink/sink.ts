import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { SinkScript } from './script.ts';
import { type SinkConnection, SinkDialogue, type SinkMessage } from './dialogue.ts';

export type { SinkConnection, SinkMessage } from './dialogue.ts';
export { drop, type SinkScript, silence } from './script.ts';

/** A scripted SMTP or LMTP server on loopback. It counts and keeps what it sees. */
export interface Sink {
  readonly host: string;
  readonly port: number;
  /** Set it anew or change it: each next command goes by it. */
  script: SinkScript;
  /** In the order of their final dots, refused ones too. */
  readonly messages: readonly SinkMessage[];
  /** Messages that were answered with 2xx. */
  readonly delivered: number;
  /** In the order of their coming, the ended ones too. */
  readonly connections: readonly SinkConnection[];
  readonly openConnections: number;
  readonly maxConcurrent: number;
  /** MAIL commands that were taken. */
  readonly transactions: number;
  /** Stops listening and cuts what is open. */
  close(): Promise<void>;
}

/** Listens on a free port of 127.0.0.1, or where it is told to. */
export async function startSink(script: SinkScript = {}, port = 0, host = '127.0.0.1'): Promise<Sink> {
  const messages: SinkMessage[] = [];
  const connections: SinkConnection[] = [];
  const open = new Set<Socket>();
  const counts = { maxConcurrent: 0, transactions: 0, delivered: 0 };
  const server = createServer((socket) => {
    open.add(socket);
    counts.maxConcurrent = Math.max(counts.maxConcurrent, open.size);
    socket.once('close', () => open.delete(socket));
    const dialogue = new SinkDialogue(socket, {
      number: connections.length + 1,
      script: () => sink.script,
      onTransaction: () => {
        counts.transactions++;
      },
      onMessage: (message) => {
        if (sink.script.keep !== false) messages.push(message);
      },
      onDelivered: () => {
        counts.delivered++;
      },
    });
    connections.push(dialogue.connection);
    dialogue.begin();
  });
  server.listen({ port, host, backlog: 4096 });
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const sink: Sink = {
    host,
    port: address.port,
    script,
    messages,
    connections,
    get openConnections() {
      return open.size;
    },
    get maxConcurrent() {
      return counts.maxConcurrent;
    },
    get transactions() {
      return counts.transactions;
    },
    get delivered() {
      return counts.delivered;
    },
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of open) socket.destroy();
      await closed;
    },
  };
  return sink;
}
