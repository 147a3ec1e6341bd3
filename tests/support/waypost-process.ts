import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from './free-ports.ts';
import { serviceProcess } from './service-process.ts';
import type { System } from './system.ts';

/** Waypost as its users run it: a process of its own, real ports, a data directory of its own. */
export interface WaypostProcess extends System {
  readonly pid: number;
  /** What it has printed so far. */
  stdout(): string;
  stderr(): string;
  /** SIGTERM; resolves with the exit code. */
  terminate(): Promise<number | null>;
}

export const adminPassword = 'correct horse battery staple';

export async function startWaypost(
  environment: Readonly<Record<string, string>> = {},
  services: readonly string[] = [],
): Promise<WaypostProcess> {
  const dataDir = mkdtempSync(join(tmpdir(), 'waypost-e2e-'));
  const [mx, submission, submissions, lmtp, http, ops] = await freePorts(6);
  const ports = { mx: mx!, submission: submission!, submissions: submissions!, lmtp: lmtp!, http: http!, ops: ops! };
  const child = serviceProcess({
    services,
    opsPort: ports.ops,
    env: {
      WAYPOST_DATA_DIR: dataDir,
      ...smtpListeners(ports),
      WAYPOST_HTTP_LISTEN: `127.0.0.1:${ports.http}`,
      WAYPOST_OPS_LISTEN: `127.0.0.1:${ports.ops}`,
      WAYPOST_ADMIN_PASSWORD: adminPassword,
      WAYPOST_LOG_LEVEL: 'warn',
      ...environment,
    },
  });
  const remove = (): void => rmSync(dataDir, { recursive: true, force: true });
  // A test that ends without disposing leaves no data.
  process.once('exit', remove);
  const dispose = async (): Promise<void> => {
    process.off('exit', remove);
    await child.kill();
    remove();
  };
  try {
    await child.start();
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    ports,
    api: `http://127.0.0.1:${ports.http}`,
    dataDir,
    admin: { address: 'admin@example.test', password: adminPassword },
    get pid() {
      return child.pid;
    },
    pids: () => [child.pid],
    metrics: async () => (await fetch(`http://127.0.0.1:${ports.ops}/metrics`)).text(),
    stdout: child.stdout,
    stderr: child.stderr,
    output: () => `${child.stdout()}${child.stderr()}`,
    kill: child.kill,
    terminate: child.terminate,
    restart: child.start,
    dispose,
  };
}

/** Where the listeners of SMTP listen. */
export function smtpListeners(
  ports: Pick<System['ports'], 'mx' | 'submission' | 'submissions' | 'lmtp'>,
): Record<string, string> {
  return {
    WAYPOST_MX_LISTEN: `127.0.0.1:${ports.mx}`,
    WAYPOST_SUBMISSION_LISTEN: `127.0.0.1:${ports.submission}`,
    WAYPOST_SUBMISSIONS_LISTEN: `127.0.0.1:${ports.submissions}`,
    WAYPOST_LMTP_LISTEN: `127.0.0.1:${ports.lmtp}`,
  };
}
