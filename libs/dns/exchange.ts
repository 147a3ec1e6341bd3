import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import { randomInt } from 'node:crypto';
import { type DnsQuestion, type DnsReply, encodeQuery, parseReply, rcodes } from './wire/message.ts';
import { MalformedDnsMessage } from './wire/malformed.ts';
import { typeNumbers } from './wire/record-data.ts';

export interface DnsServerAddress {
  /** IPv4 or IPv6. */
  host: string;
  port: number;
}

export interface ExchangeOptions {
  edns: boolean;
  dnssec: boolean;
  limitMs: number;
  signal: AbortSignal;
  /** Called for each datagram that isn't the reply to the question. */
  onStray: () => void;
}

/** A server that hasn't answered: silent, not there, or the connection broke. */
export class NoReply extends Error {
  readonly why: 'timeout' | 'unreachable' | 'aborted';

  constructor(why: NoReply['why']) {
    super(`no reply: ${why}`);
    this.name = 'NoReply';
    this.why = why;
  }
}

/**
 * One question to one server, by UDP, and by TCP when the reply was cut off, or when so many datagrams are wrong that somebody may be guessing (RFC 5452 §9.3).
 * A reply counts only with the id and the question that were sent, from the address it was sent to, at the port it was sent from; both the id and the port
 * are random (RFC 5452 §9.1). Rejects with {@link NoReply} or {@link MalformedDnsMessage}.
 */
export async function exchange(
  server: DnsServerAddress,
  question: DnsQuestion,
  options: ExchangeOptions,
): Promise<DnsReply> {
  const deadlineMs = performance.now() + options.limitMs;
  const reply = await overUdp(server, question, options);
  if (reply !== undefined && !reply.truncated) return reply;
  return overTcp(server, question, { ...options, limitMs: Math.max(1, deadlineMs - performance.now()) });
}

/** Undefined: too many strays. */
function overUdp(
  server: DnsServerAddress,
  question: DnsQuestion,
  options: ExchangeOptions,
): Promise<DnsReply | undefined> {
  const { id, query, isReply } = newQuery(question, options);
  // Without a bind the system chooses a random port; connected, it drops what comes from others.
  const socket = createSocket(isIPv6(server.host) ? 'udp6' : 'udp4');
  let strays = 0;
  return ended<DnsReply | undefined>(
    options,
    () => socket.close(),
    (resolve, reject) => {
      socket.on('error', () => reject(new NoReply('unreachable')));
      socket.on('message', (datagram) => {
        try {
          const reply = parseReply(datagram);
          if (isReply(reply)) {
            resolve(reply);
            return;
          }
        } catch (error) {
          if (datagram.length >= 2 && datagram.readUInt16BE(0) === id) {
            reject(error);
            return;
          }
        }
        options.onStray();
        strays += 1;
        if (strays >= maxStrays) resolve(undefined);
      });
      socket.connect(server.port, server.host, () => {
        socket.send(query, (error) => {
          if (error) reject(new NoReply('unreachable'));
        });
      });
    },
  );
}

function overTcp(server: DnsServerAddress, question: DnsQuestion, options: ExchangeOptions): Promise<DnsReply> {
  const { query, isReply } = newQuery(question, options);
  const socket = connect({ host: server.host, port: server.port });
  // RFC 1035 §4.2.2: the length goes first, in two octets, so a reply has at most 65,535.
  let received = Buffer.alloc(0);
  return ended<DnsReply>(
    options,
    () => socket.destroy(),
    (resolve, reject) => {
      socket.on('error', () => reject(new NoReply('unreachable')));
      socket.on('close', () => reject(new NoReply('unreachable')));
      socket.on('connect', () => socket.write(Buffer.concat([Buffer.from([0, query.length]), query])));
      socket.on('data', (chunk) => {
        received = Buffer.concat([received, chunk]);
        if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
        try {
          const reply = parseReply(received.subarray(2, 2 + received.readUInt16BE(0)));
          if (isReply(reply) && !reply.truncated) resolve(reply);
          else reject(new MalformedDnsMessage('not the reply to the question'));
        } catch (error) {
          reject(error);
        }
      });
    },
  );
}

const maxStrays = 8;

function newQuery(
  question: DnsQuestion,
  { edns, dnssec }: ExchangeOptions,
): { id: number; query: Buffer; isReply: (reply: DnsReply) => boolean } {
  const id = randomInt(0x10000);
  const isReply = (reply: DnsReply): boolean => {
    if (reply.id !== id) return false;
    if (reply.question === undefined) return reply.rcode !== rcodes.noError && reply.rcode !== rcodes.nxDomain;
    return reply.question.name === question.name && reply.question.type === typeNumbers[question.type];
  };
  return { id, query: encodeQuery(question, { id, edns, dnssec }), isReply };
}

/** `start` may settle once; then, past the limit, or on abort the socket is closed. */
async function ended<T>(
  { limitMs, signal }: ExchangeOptions,
  close: () => void,
  start: (resolve: (value: T) => void, reject: (reason: unknown) => void) => void,
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const abort = (): void => reject(new NoReply('aborted'));
  const timer = setTimeout(() => reject(new NoReply('timeout')), limitMs);
  signal.addEventListener('abort', abort);
  try {
    if (signal.aborted) abort();
    start(resolve, reject);
    return await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
    close();
  }
}
