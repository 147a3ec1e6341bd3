import { AsyncLocalStorage } from 'node:async_hooks';
import { randomBytes } from 'node:crypto';

/**
 * W3C Trace Context: which trace the work under way belongs to. It follows awaits, and crosses processes as the `traceparent` of requests,
 * wake-ups and events.
 */
export function currentTraceparent(): string | undefined {
  return storage.getStore();
}

/** Runs `work` in the trace of `traceparent`; one that isn't valid is as none (Trace Context §4.2.2.2: then the trace begins anew). */
export function inTrace<T>(traceparent: string | undefined, work: () => T): T {
  return storage.run(traceparent !== undefined && form.test(traceparent) ? traceparent : newTrace(), work);
}

/** For a message that is sent: the same trace, or a new one where there is none, and a parent id of its own. */
export function outgoingTraceparent(): string {
  const current = storage.getStore();
  if (current === undefined) return newTrace();
  return `${current.slice(0, parentAt)}${hex(8)}${current.slice(-3)}`;
}

const storage = new AsyncLocalStorage<string>();

/** Version 00: trace id, parent id (neither all zeros) and flags, in lower-case hex. */
const form = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
const parentAt = '00-'.length + 32 + '-'.length;

/** Not sampled: we record no spans ourselves. */
const newTrace = (): string => `00-${hex(16)}-${hex(8)}-00`;

const hex = (bytes: number): string => randomBytes(bytes).toString('hex');
