import type { Router } from 'express';

/** What a service can say of its fitness; `/readyz` shows the worst of all services in the process. */
export interface Readiness {
  /** False: this service can't do its work now (only the store's absence, or a drain, makes it so). */
  ready: boolean;
  /** What is missing without stopping the work, e.g. `nats`. */
  degraded: readonly string[];
  /** Why it isn't ready, for people. */
  reason?: string;
}

/**
 * One of the five services, made by `create…` in `services/<name>/main.ts`. The same object runs alone in a pod or beside the others in one
 * process. Nothing happens before `start`.
 */
export interface Service {
  readonly name: 'ingress' | 'queue' | 'delivery' | 'mailbox' | 'auth';
  /** Its part of the HTTP API, mounted at `/`; undefined when it has none. */
  readonly router?: Router;
  /** Opens listeners and starts loops; rejects with a clear error when it can't. */
  start(): Promise<void>;
  /**
   * Drains: takes no new work, ends what is under way within `graceMs`, then closes everything it opened. Never rejects for work that could
   * not be ended in time: that work is safe in the store.
   */
  stop(graceMs: number): Promise<void>;
  readiness(): Readiness;
}
