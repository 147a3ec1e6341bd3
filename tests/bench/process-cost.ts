import { readdirSync, readFileSync } from 'node:fs';

/** What processes and all that they have started have used so far; ended children count by what their parents have waited for. */
export function cpuSeconds(rootPids: readonly number[]): number {
  return tree(rootPids).reduce((sum, pid) => sum + ownAndReaped(pid), 0) / ticksPerSecond;
}

/** Proportional set size of the trees, MB: shared pages are counted once. */
export function memoryMb(rootPids: readonly number[]): number {
  const kilobytes = tree(rootPids).reduce((sum, pid) => sum + pssOf(pid), 0);
  return Math.round(kilobytes / 1024);
}

/** Processes of these programs that this process has started. */
export function childrenNamed(names: readonly string[]): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => Number(statOf(pid)?.[1]) === process.pid && names.includes(programOf(pid)));
}

function programOf(pid: number): string {
  return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
}

const ticksPerSecond = 100;

function tree(rootPids: readonly number[]): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const fields = statOf(Number(name));
    if (fields !== undefined) parents.set(Number(name), Number(fields[1]));
  }
  const found = [...rootPids];
  for (const parent of found)
    for (const [pid, ppid] of parents) if (ppid === parent && !found.includes(pid)) found.push(pid);
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
