import { X509Certificate } from 'node:crypto';
import { isIP, type Socket } from 'node:net';
import {
  connect,
  type ConnectionOptions,
  type DetailedPeerCertificate,
  type SecureVersion,
  type TLSSocket,
} from 'node:tls';
import { checkDane, type TlsaRecord } from './dane.ts';
import { TlsFailed, type TlsResultType } from './failures.ts';

/** What is asked of the encryption. */
export interface TlsPolicy {
  /**
   * - `never`: plain text.
   * - `opportunistic`: STARTTLS where it is offered, and whoever answers is trusted; a check that fails is only noted (`SessionTls.resultType`).
   * - `required`: STARTTLS, and the check of `verify`, or no mail.
   * - `implicit`: as `required`, with TLS from the first octet (RFC 8314).
   */
  mode: 'never' | 'opportunistic' | 'required' | 'implicit';
  verify: TlsVerification;
  /** Authorities in PEM instead of the ones that Node knows. */
  ca?: string | Buffer | readonly (string | Buffer)[];
  /** Default TLSv1.2 (RFC 8996). */
  minVersion?: SecureVersion;
}

/**
 * Of the server's certificate:
 * - `none`: any will do.
 * - `name`: valid by the authorities, for one of `names` (A-labels; `*.example.net` stands for one label; an IP address for itself).
 * - `dane`: as the TLSA records say; `names` are the ones that usage 2 takes (RFC 7672 §3.2.2). Without a usable record it is `none` (§2.2).
 */
export type TlsVerification =
  | { kind: 'none' }
  | { kind: 'name'; names: readonly string[] }
  | { kind: 'dane'; records: readonly TlsaRecord[]; names: readonly string[] };

/** How a session is encrypted, for traces and reports (RFC 8460). */
export interface SessionTls {
  encrypted: boolean;
  /** `TLSv1.3` */
  protocol?: string;
  cipher?: string;
  /** The certificate passes the check that was asked for; with `none` the check of the host's name, which then decides nothing. */
  authorized: boolean;
  /** The first name of the certificate. */
  peerName?: string;
  /** What is wrong; absent when nothing is, or when TLS wasn't wanted. */
  resultType?: TlsResultType;
}

export interface HandshakeRequest {
  /** The server's name, for SNI. */
  host: string;
  policy: TlsPolicy;
  limitMs: number;
  nowMs: number;
}

/**
 * The client's side of the handshake over a connected socket, and the check of the certificate. Rejects with {@link TlsFailed}, the socket destroyed.
 * The listeners of `socket` must be off.
 */
export async function handshake(
  socket: Socket,
  request: HandshakeRequest,
): Promise<{ secure: TLSSocket; tls: SessionTls }> {
  const { policy } = request;
  const secure = await secured(socket, request);
  const checked = check(secure, request);
  if (checked.problem && policy.verify.kind !== 'none' && policy.mode !== 'opportunistic' && !checked.mayGoOn) {
    await destroyed(secure);
    throw new TlsFailed(checked.problem.type, checked.problem.why, { retryWithoutTls: false });
  }
  const peerName = checked.peerName;
  return {
    secure,
    tls: {
      encrypted: true,
      protocol: secure.getProtocol() ?? 'unknown',
      cipher: secure.getCipher().name,
      authorized: checked.problem === undefined,
      ...(peerName !== undefined && { peerName }),
      ...(checked.problem && policy.verify.kind !== 'none' && { resultType: checked.problem.type }),
    },
  };
}

async function secured(socket: Socket, { host, policy, limitMs }: HandshakeRequest): Promise<TLSSocket> {
  const ca =
    policy.ca === undefined || typeof policy.ca === 'string' || Buffer.isBuffer(policy.ca) ? policy.ca : [...policy.ca];
  const options: ConnectionOptions = {
    socket,
    minVersion: policy.minVersion ?? 'TLSv1.2',
    // Judged below, with what the policy says: here any certificate ends the handshake well.
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
    ...(ca !== undefined && { ca }),
    // RFC 6066 §3: no addresses in SNI.
    ...(isIP(host) === 0 && { servername: host }),
  };
  const failed = Promise.withResolvers<never>();
  const done = Promise.withResolvers<void>();
  const secure = connect(options, () => done.resolve());
  const onError = (error: Error): void => failed.reject(error);
  const onClose = (): void => failed.reject(new Error('the server closed the connection'));
  const timer = setTimeout(() => failed.reject(new Error(`not done within ${limitMs} ms`)), limitMs);
  secure.on('error', onError).on('close', onClose);
  socket.on('error', onError).on('close', onClose);
  try {
    await Promise.race([done.promise, failed.promise]);
    return secure;
  } catch (error) {
    await destroyed(secure);
    const why = error instanceof Error ? ('code' in error ? String(error.code) : error.message) : String(error);
    const retryWithoutTls = policy.mode === 'opportunistic';
    throw new TlsFailed('validation-failure', why, { retryWithoutTls, cause: error });
  } finally {
    clearTimeout(timer);
    socket.off('close', onClose);
    secure.off('close', onClose).off('error', onError);
    // An error that comes late, of either socket, is no event without a listener: what matters of it, the caller hears from the secure one.
    secure.on('error', ignore);
    failed.promise.catch(ignore);
  }
}

interface Checked {
  peerName?: string;
  problem?: { type: TlsResultType; why: string };
  /** The problem doesn't stop even those who require a check. */
  mayGoOn?: boolean;
}

function check(secure: TLSSocket, { host, policy, nowMs }: HandshakeRequest): Checked {
  const chain = sentChain(secure);
  const [leaf] = chain;
  if (leaf === undefined) return { problem: { type: 'validation-failure', why: 'no certificate' } };
  const peerName = firstName(leaf);
  const { verify } = policy;
  const names = verify.kind === 'none' ? [host] : verify.names;
  const matchesName = (certificate: X509Certificate): boolean => names.some((name) => isFor(certificate, name));
  if (verify.kind === 'dane') {
    const result = checkDane(verify.records, chain, { matchesName, nowMs });
    if (result === 'matched') return { peerName };
    if (result === 'noUsableRecord')
      return { peerName, mayGoOn: true, problem: { type: 'tlsa-invalid', why: 'no TLSA record that can be used' } };
    return { peerName, problem: { type: 'validation-failure', why: 'no TLSA record names the certificate' } };
  }
  const trouble = chainTrouble(secure);
  if (trouble !== undefined) return { peerName, problem: { type: chainResult(trouble), why: trouble } };
  if (matchesName(leaf)) return { peerName };
  return {
    peerName,
    problem: { type: 'certificate-host-mismatch', why: `a certificate for ${peerName}, not ${names.join(', ')}` },
  };
}

/** OpenSSL's name of what is wrong with the chain. */
function chainTrouble(secure: TLSSocket): string | undefined {
  if (secure.authorized) return undefined;
  // Declared as an Error; it is the code itself where the check of a chain has failed.
  const error: unknown = secure.authorizationError;
  if (error instanceof Error) return 'code' in error ? String(error.code) : error.message;
  return String(error);
}

function chainResult(code: string): TlsResultType {
  if (code === 'CERT_HAS_EXPIRED') return 'certificate-expired';
  if (/SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET_ISSUER)|CERT_(?:UNTRUSTED|REVOKED|REJECTED)|INVALID_CA/.test(code))
    return 'certificate-not-trusted';
  return 'validation-failure';
}

/** RFC 9525 §6: alternative names alone, and a wildcard is one whole label. */
function isFor(certificate: X509Certificate, name: string): boolean {
  if (isIP(name) !== 0) return certificate.checkIP(name) !== undefined;
  const subject = name.startsWith('*.') ? name.slice(1) : name;
  return (
    certificate.checkHost(subject, { subject: 'never', partialWildcards: false, singleLabelSubdomains: true }) !==
    undefined
  );
}

function firstName(certificate: X509Certificate): string {
  const name = /(?:DNS|IP Address):("(?:[^"\\]|\\.)*"|[^,]*)/.exec(certificate.subjectAltName ?? '')?.[1];
  return (name ?? certificate.subject ?? '').replace(/[^\x21-\x7e]+/g, ' ').slice(0, 255);
}

/** The server's own certificate first. A root is its own issuer in what Node gives. */
function sentChain(secure: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let next: DetailedPeerCertificate | undefined = secure.getPeerCertificate(true);
  while (next?.raw !== undefined && chain.length < maxChainLength) {
    chain.push(new X509Certificate(next.raw));
    next = next.issuerCertificate === next ? undefined : next.issuerCertificate;
  }
  return chain;
}

const maxChainLength = 10;

/** Resolves when the connection is closed. */
function destroyed(secure: TLSSocket): Promise<void> {
  return new Promise((resolve) => {
    if (secure.closed) {
      resolve();
      return;
    }
    secure.once('close', () => resolve());
    secure.destroy();
  });
}

function ignore(): void {}
