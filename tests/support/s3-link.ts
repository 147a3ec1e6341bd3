import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

/** What happens to a request of an S3 client in place of being forwarded. */
export type S3Fault =
  /** The server does it; instead of its answer the connection ends. */
  | { kind: 'loseReply' }
  /** The server never hears of it. */
  | { kind: 'answer'; status: number; code: string }
  /** It is never answered, and the server never hears of it. */
  | { kind: 'silence' }
  /** The answer ends in its middle. */
  | { kind: 'cutReply' };

type Matches = (request: { method: string; url: string }) => boolean;

/** A way to an S3 server that loses, cuts and makes up answers, as a test says. The signature holds: the `Host` is the client's. */
export class S3Link {
  readonly #server: Server;
  #faults: { fault: S3Fault; matches: Matches; times: number }[] = [];

  private constructor(server: Server) {
    this.#server = server;
  }

  /** `url` as WAYPOST_BLOBS_URL. */
  static async to(url: string): Promise<{ link: S3Link; url: string }> {
    const [before = '', query] = url.split('?');
    const given = new URLSearchParams(query);
    const target = new URL(given.get('endpoint') ?? '');
    const link: S3Link = new S3Link(createServer((from, to) => void link.#forward(target, from, to)));
    link.#server.listen(0, '127.0.0.1');
    await once(link.#server, 'listening');
    given.set('endpoint', link.endpoint);
    return { link, url: `${before}?${given.toString()}` };
  }

  get endpoint(): string {
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }

  /** For the next `times` requests that match. */
  next(times: number, fault: S3Fault, matches: Matches): void {
    this.#faults.push({ fault, matches, times });
  }

  heal(): void {
    this.#faults = [];
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #forward(target: URL, from: IncomingMessage, to: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = from;
    const fault = this.#faultOf({ method, url });
    if (fault?.kind === 'answer') {
      from.resume();
      const body = `<?xml version="1.0"?><Error><Code>${fault.code}</Code><Message>made up</Message></Error>`;
      to.writeHead(fault.status, { 'content-type': 'application/xml' }).end(body);
      return;
    }
    if (fault?.kind === 'silence') return;
    const outgoing = request({ host: target.hostname, port: target.port, method, path: url, headers });
    outgoing.on('error', () => to.destroy());
    from.pipe(outgoing);
    outgoing.on('response', (answer) => void this.#answer(answer, to, fault).catch(() => to.destroy()));
  }

  async #answer(answer: IncomingMessage, to: ServerResponse, fault: S3Fault | undefined): Promise<void> {
    const bytes = await buffer(answer);
    if (fault?.kind === 'loseReply') {
      to.destroy();
      return;
    }
    to.writeHead(answer.statusCode ?? 0, answer.headers);
    if (fault?.kind !== 'cutReply') {
      to.end(bytes);
      return;
    }
    to.write(bytes.subarray(0, bytes.length / 2), () => to.destroy());
  }

  #faultOf(seen: { method: string; url: string }): S3Fault | undefined {
    const planned = this.#faults.find(({ matches, times }) => times > 0 && matches(seen));
    if (planned === undefined) return undefined;
    planned.times -= 1;
    return planned.fault;
  }
}
