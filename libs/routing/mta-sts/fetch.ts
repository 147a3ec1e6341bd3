import type { IncomingMessage } from 'node:http';
import { request, type RequestOptions } from 'node:https';
import type { LookupFunction } from 'node:net';
import type { Address, Dns } from '../../dns/port.ts';
import { isPublicAddress } from '../public-address.ts';

/** The text of a domain's policy. Rejects with {@link PolicyFetchFailed}, or with the reason of the signal. */
export type PolicyFetch = (domain: string, signal: AbortSignal) => Promise<string>;

export interface PolicyFetchOptions {
  dns: Dns;
  allowPrivateDestinations: boolean;
  /** Default 443. */
  port?: number;
  /** Authorities in PEM instead of the ones that Node knows. */
  ca?: string;
  /** For all of it; default 10,000 ms. */
  limitMs?: number;
}

/** Why a policy could not be had, in words for traces. */
export class PolicyFetchFailed extends Error {
  constructor(domain: string, why: string, options?: ErrorOptions) {
    super(`the MTA-STS policy of ${domain}: ${why}`, options);
    this.name = 'PolicyFetchFailed';
  }
}

/** RFC 8461 §3.3 suggests this cap. */
const maxPolicyBytes = 64 * 1024;

/**
 * Fetches `https://mta-sts.<domain>/.well-known/mta-sts.txt` (RFC 8461 §3.3): a valid certificate, no redirects, no private address, one connection that
 * is closed at the end.
 */
export function createPolicyFetch(options: PolicyFetchOptions): PolicyFetch {
  return async (domain, signal) => {
    const limit = AbortSignal.timeout(options.limitMs ?? 10_000);
    const either = AbortSignal.any([signal, limit]);
    try {
      const addresses = await policyAddresses(domain, options, either);
      return await get(domain, { addresses, options, signal: either });
    } catch (error) {
      if (signal.aborted || error instanceof PolicyFetchFailed) throw error;
      const why = limit.aborted ? 'it took too long' : error instanceof Error ? error.message : String(error);
      throw new PolicyFetchFailed(domain, why, { cause: error });
    }
  };
}

async function policyAddresses(domain: string, options: PolicyFetchOptions, signal: AbortSignal): Promise<Address[]> {
  const result = await options.dns.addresses(`mta-sts.${domain}`, ['ipv4', 'ipv6'], { signal });
  if (result.kind !== 'found') throw new PolicyFetchFailed(domain, result.detail);
  const allowed = result.records.filter(({ address }) => options.allowPrivateDestinations || isPublicAddress(address));
  // What another name or a later answer says doesn't matter: just these are dialled.
  if (allowed.length === 0)
    throw new PolicyFetchFailed(domain, 'its server is at an address that is not of the internet');
  return allowed;
}

async function get(
  domain: string,
  { addresses, options, signal }: { addresses: Address[]; options: PolicyFetchOptions; signal: AbortSignal },
): Promise<string> {
  const lookup: LookupFunction = (_name, { all }, callback) => {
    const list = addresses.map(({ address, family }) => ({ address, family: family === 'ipv6' ? 6 : 4 }));
    if (all === true) callback(null, list);
    else callback(null, list[0]?.address ?? '', list[0]?.family ?? 4);
  };
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const wanted: RequestOptions & { autoSelectFamily: boolean } = {
    host: `mta-sts.${domain}`,
    port: options.port ?? 443,
    path: '/.well-known/mta-sts.txt',
    headers: { accept: 'text/plain' },
    agent: false,
    lookup,
    autoSelectFamily: true,
    signal,
    minVersion: 'TLSv1.2',
    ...(options.ca !== undefined && { ca: options.ca }),
  };
  const asked = request(wanted, resolve);
  asked.on('error', reject);
  asked.end();
  try {
    return await body(domain, await promise);
  } finally {
    asked.destroy();
  }
}

async function body(domain: string, response: IncomingMessage): Promise<string> {
  // Redirects must not be followed (RFC 8461 §3.3).
  if (response.statusCode !== 200) throw new PolicyFetchFailed(domain, `status ${response.statusCode}`);
  const type = response.headers['content-type'] ?? '';
  if (!/^text\/plain\s*(?:;|$)/i.test(type)) throw new PolicyFetchFailed(domain, 'it is not text/plain');
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response) {
    if (!Buffer.isBuffer(chunk)) continue;
    bytes += chunk.length;
    if (bytes > maxPolicyBytes) throw new PolicyFetchFailed(domain, `more than ${maxPolicyBytes} octets`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
