import { servingFlags } from '../../tools/setup/become.mjs';
import { runCommand } from './run-command.ts';

export interface EndedStart {
  /** Null when it had to be ended. */
  code: number | null;
  stdout: string;
  stderr: string;
  /** Of stderr what isn't log: the log is lines of JSON. */
  text: string;
}

/** Starts these services with listeners anywhere, and waits until the process has ended by itself, at most `withinMs`. */
export async function startAndEnd(
  services: readonly string[],
  env: Readonly<Record<string, string>>,
  withinMs: number,
): Promise<EndedStart> {
  const listeners = ['HTTP', 'OPS', 'MX', 'SUBMISSION', 'SUBMISSIONS'].map((name) => [
    `WAYPOST_${name}_LISTEN`,
    '127.0.0.1:0',
  ]);
  const ended = await runCommand(process.execPath, [...servingFlags, 'services/main.ts', 'start', ...services], {
    env: { ...Object.fromEntries(listeners), ...env },
    timeoutMs: withinMs,
  });
  const text = ended.stderr.split('\n').filter((line) => !line.startsWith('{"level"'));
  return { ...ended, text: text.join('\n') };
}
