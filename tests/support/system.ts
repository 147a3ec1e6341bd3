/** Waypost as clients see it, whichever way it runs. */
export interface System {
  readonly ports: { mx: number; submission: number; submissions: number; lmtp: number; http: number; ops: number };
  /** Base of the HTTP API's URLs. */
  readonly api: string;
  readonly dataDir: string;
  readonly admin: { address: string; password: string };
  /** Of every process. */
  pids(): number[];
  /** The metrics of every process, one after the other, in Prometheus' text format. */
  metrics(): Promise<string>;
  /** What all processes have printed. */
  output(): string;
  /** SIGKILL of every process; they are gone when it resolves. The backends of a cluster stay. */
  kill(): Promise<void>;
  /** Starts them again on the same ports and data. */
  restart(): Promise<void>;
  /** Ends everything and removes the data. */
  dispose: () => Promise<void>;
}

/**
 * A system of its own for the scenarios of one file: one process, or the five services over MongoDB and NATS where tests/e2e/cluster-*.test.ts runs the same
 * file. Everything that a client can see must be the same.
 */
export async function startSystem(environment: Readonly<Record<string, string>> = {}): Promise<System> {
  if (process.env['WAYPOST_TEST_MODE'] !== 'cluster') {
    return (await import('./waypost-process.ts')).startWaypost(environment);
  }
  return (await import('./cluster.ts')).startCluster({ environment });
}
