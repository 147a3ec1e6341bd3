import { createHmac, timingSafeEqual } from 'node:crypto';
import { parseAddress } from '../address/mailbox-address.ts';

/**
 * The Sender Rewriting Scheme: mail that an alias forwards goes under an address of ours, which SPF allows us to use and which leads bounces back. The address
 * holds the original one, a day and a keyed hash, so that nothing is stored and nobody can make one up. What was rewritten by another server becomes SRS1,
 * which leads to that server and doesn't grow with each further hop.
 */
export interface Srs {
  /** The reverse-path under which mail from `reversePath` is forwarded; undefined when it can't be written so, and stays as it is. */
  forward(reversePath: string, nowMs: number): string | undefined;
  /** What a recipient of ours means: `none` is no address of this scheme. */
  reverse(recipient: string, nowMs: number): SrsAnswer;
}

export type SrsAnswer =
  | { kind: 'none' }
  | { kind: 'forged' }
  | { kind: 'expired' }
  | { kind: 'original'; address: string };

export interface SrsOptions {
  /** Our domain, as A-label. */
  domain: string;
  /** The first signs, all are believed: so a secret can be changed while mail is under way. */
  secrets: readonly string[];
}

export function createSrs({ domain: ours, secrets }: SrsOptions): Srs {
  const [signing] = secrets;
  if (signing === undefined) throw new RangeError('SRS needs a secret');
  return {
    forward(reversePath, nowMs) {
      const sender = parseAddress(reversePath);
      if (sender === undefined || sender.domain.startsWith('[')) return undefined;
      const { text, quote } = unquoted(sender.localPart);
      const day = dayOf(nowMs);
      const local = rewriteAgain(text, sender.domain, day, signing) ?? first(text, sender.domain, day, signing);
      const rewritten = `${quote}${local}${quote}@${ours}`;
      return parseAddress(rewritten) === undefined ? undefined : rewritten;
    },
    reverse(recipient, nowMs) {
      const address = parseAddress(recipient);
      if (address === undefined || address.domain !== ours) return none;
      const { text, quote } = unquoted(address.localPart);
      const parts = readFirst(text) ?? readAgain(text);
      if (parts === undefined) return /^srs[01][-+=]/i.test(text) ? { kind: 'forged' } : none;
      if (!secrets.some((secret) => sameText(hashOf(secret, parts.signed), parts.hash))) return { kind: 'forged' };
      if (!isRecent(parts.day, nowMs)) return { kind: 'expired' };
      const original = parseAddress(`${quote}${parts.local}${quote}@${parts.domain}`);
      return original === undefined ? { kind: 'forged' } : { kind: 'original', address: original.display };
    },
  };
}

const none: SrsAnswer = { kind: 'none' };

interface Parts {
  hash: string;
  day: string;
  signed: readonly string[];
  local: string;
  domain: string;
}

/** `SRS0=hash=day=domain=local` */
function first(local: string, domain: string, day: string, secret: string): string {
  return `SRS0=${hashOf(secret, ['SRS0', day, domain, local])}=${day}=${domain}=${local}`;
}

function readFirst(text: string): Parts | undefined {
  const [, hash, day, domain, local] = /^srs0[-+=]([^=]+)=([^=]+)=([^=]+)=(.+)$/is.exec(text) ?? [];
  if (hash === undefined || day === undefined || domain === undefined || local === undefined) return undefined;
  return { hash, day, signed: ['SRS0', day, domain, local], local, domain };
}

/**
 * `SRS1=dayhash=domain=rest` of what another server has rewritten: `rest` is its own, from the separator after SRS0 on. Of an SRS1 the server between is
 * left out. The hash is ours alone to read, so it may have the day in front.
 */
function rewriteAgain(text: string, sender: string, day: string, secret: string): string | undefined {
  const [, rest] = /^srs0([-+=].+)$/is.exec(text) ?? [];
  const [, firstDomain, firstRest] = /^srs1[-+=][^=]+=([^=]+)=(.+)$/is.exec(text) ?? [];
  const [domain, opaque] = rest === undefined ? [firstDomain, firstRest] : [sender, rest];
  if (domain === undefined || opaque === undefined) return undefined;
  return `SRS1=${day}${hashOf(secret, ['SRS1', day, domain, opaque])}=${domain}=${opaque}`;
}

function readAgain(text: string): Parts | undefined {
  const [, day, hash, domain, rest] = /^srs1[-+=]([^=]{2})([^=]+)=([^=]+)=([-+=].+)$/is.exec(text) ?? [];
  if (day === undefined || hash === undefined || domain === undefined || rest === undefined) return undefined;
  return { hash, day, signed: ['SRS1', day, domain, rest], local: `SRS0${rest}`, domain };
}

/** 40 bits: a guess by SMTP takes longer than the address is good. Some servers change the case of local parts, so it makes no difference. */
function hashOf(secret: string, signed: readonly string[]): string {
  const digest = createHmac('sha256', secret).update(signed.join('\0').toLowerCase()).digest();
  return [...digest.subarray(0, hashLength)].map((byte) => digits.charAt(byte % digits.length)).join('');
}

const hashLength = 8;
const digits = 'abcdefghijklmnopqrstuvwxyz234567';

function sameText(expected: string, given: string): boolean {
  const [a, b] = [Buffer.from(expected), Buffer.from(given.toLowerCase())];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Days since the epoch modulo 1024, in two digits. */
function dayOf(nowMs: number): string {
  const day = Math.floor(nowMs / dayMs) % days;
  return `${digits.charAt(day >> 5)}${digits.charAt(day & 31)}`;
}

function isRecent(day: string, nowMs: number): boolean {
  const [high, low] = [digits.indexOf(day.charAt(0).toLowerCase()), digits.indexOf(day.charAt(1).toLowerCase())];
  if (day.length !== 2 || high === -1 || low === -1) return false;
  const age = (Math.floor(nowMs / dayMs) - (high * 32 + low)) & (days - 1);
  // Another of our hosts may be a little ahead: the last one is tomorrow.
  return age <= keepDays || age === days - 1;
}

const dayMs = 86_400_000;
const days = 1024;
/** Longer than any server keeps trying (RFC 5321 §4.5.4.1: four or five days), bounces of bounces included. */
const keepDays = 21;

/** The text between the quotes of a quoted local part, its backslashes kept. */
function unquoted(localPart: string): { text: string; quote: '' | '"' } {
  return localPart.startsWith('"') ? { text: localPart.slice(1, -1), quote: '"' } : { text: localPart, quote: '' };
}
