import { headers } from '@nats-io/transport-node';
import type { Msg, MsgHdrs } from '@nats-io/transport-node';
import { inTrace, outgoingTraceparent } from '../../runtime/trace-context.ts';

/** Headers of every message: the trace that it belongs to, and what else is given. */
export function messageHeaders(more: Readonly<Record<string, string>> = {}): MsgHdrs {
  const all = headers();
  all.set(traceHeader, outgoingTraceparent());
  for (const [name, value] of Object.entries(more)) all.set(name, value);
  return all;
}

export function header(msg: Msg, name: string): string | undefined {
  const value = msg.headers?.get(name);
  return value === '' ? undefined : value;
}

/** Runs `work` in the trace that came with the message, or in a new one. */
export function inTraceOf<T>(msg: Msg, work: () => T): T {
  return inTrace(header(msg, traceHeader), work);
}

/** What isn't JSON in UTF-8 is `undefined`, which fits no schema. */
export function decodeJson(data: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(data));
  } catch {
    return undefined;
  }
}

const traceHeader = 'traceparent';
const utf8 = new TextDecoder('utf-8', { fatal: true });
