import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Socket } from 'node:net';

/** Kills processes and containers, and removes a folder, when it is told to, or when the process that started it has died. */
export interface Watchdog {
  watch(pid: number): void;
  forget(pid: number): void;
  watchContainer(id: string): void;
  watchNetwork(id: string): void;
  /** Kills, removes, and resolves when all is gone. */
  finish(): Promise<void>;
}

/**
 * A shell that waits on a pipe which only this process holds open. However this process ends, the pipe closes and the shell cleans
 * up. It leads a session of its own, so that Ctrl-C in the terminal doesn't end it first.
 */
export function startWatchdog(folder = ''): Watchdog {
  const shell = spawn('/bin/sh', ['-c', SCRIPT, 'watchdog', folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  const closed = once(shell, 'close');
  closed.catch(() => undefined); // finish() sees the error
  shell.unref();
  if (shell.stdin instanceof Socket) shell.stdin.unref();
  const tell = (line: string): void => {
    if (shell.stdin.writable) shell.stdin.write(`${line}\n`);
  };
  return {
    watch: (pid) => tell(`watch ${pid}`),
    forget: (pid) => tell(`forget ${pid}`),
    watchContainer: (id) => tell(`container ${id}`),
    watchNetwork: (id) => tell(`network ${id}`),
    async finish() {
      shell.ref();
      shell.stdin.end();
      await closed;
    },
  };
}

// $1 is the folder; none: nothing is removed. A process id is forgotten as soon as its process has ended, so that no later owner of the number is hit.
const SCRIPT = `
pids=' '; containers=; networks=
while read -r verb what; do
  case $verb in
    watch) pids="$pids$what " ;;
    forget) pids="\${pids%% $what *} \${pids#* $what }" ;;
    container) containers="$containers $what" ;;
    network) networks="$networks $what" ;;
  esac
done
for pid in $pids; do kill -9 "$pid"; done
for pid in $pids; do
  n=0; while kill -0 "$pid" && [ $n -lt 100 ]; do n=$((n + 1)); sleep 0.05; done
done
for id in $containers; do docker rm --force --volumes "$id"; done
for id in $networks; do docker network rm "$id"; done
[ -z "$1" ] || rm -rf -- "$1"
`;
