import { readdirSync, readFileSync } from 'node:fs';

/** What a process and all that it has started have used so far; ended children count by what their parents have waited for. */
export function cpuSeconds(rootPid: number): number {
  return tree(rootPid).reduce((sum, pid) => sum + ownAndReaped(pid), 0) / ticksPerSecond;
}

/** Proportional set size of the tree, MB: shared pages are counted once. */
export function memoryMb(rootPid: number): number {
  const kilobytes = tree(rootPid).reduce((sum, pid) => sum + pssOf(pid), 0);
  return Math.round(kilobytes / 1024);
}

const ticksPerSecond = 100;

function tree(rootPid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const fields = statOf(Number(name));
    if (fields !== undefined) parents.set(Number(name), Number(fields[1]));
  }
  const found = [rootPid];
  for (const parent of found) for (const [pid, ppid] of parents) if (ppid === parent) found.push(pid);
  return found;
}

/** Fields of /proc/PID/stat from the state on (proc(5): field 3), so index 1 is ppid and 11 to 14 are utime, stime, cutime, cstime. */
function statOf(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

function ownAndReaped(pid: number): number {
  const fields = statOf(pid);
  return fields === undefined ? 0 : fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
}

function pssOf(pid: number): number {
  try {
    return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
