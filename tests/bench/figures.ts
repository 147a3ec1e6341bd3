import type { ServiceName } from '../../services/service-names.ts';
import { cpuSeconds, memoryMb } from './process-cost.ts';

export interface Options {
  messages: number;
  /** Messages sent before those that are measured. */
  warmUp: number;
  sessions: number;
  bytes: number;
  rounds: number;
  /** Messages of the large mailbox. */
  large: number;
  mode: 'embedded' | 'cluster';
  /** Of a cluster: processes of each service. */
  copies: Partial<Record<ServiceName, number>>;
}

export interface Figures {
  perSecond: number;
  /** CPU seconds of all processes of the system for 10,000 messages. */
  cpuPer10k: number;
  memoryMb: number;
}

/** Runs `work`, which resolves with the seconds it took, beside the cost of the processes and of what they have started. */
export async function measure(pids: readonly number[], count: number, work: () => Promise<number>): Promise<Figures> {
  const before = cpuSeconds(pids);
  const seconds = await work();
  return {
    perSecond: Math.round(count / seconds),
    cpuPer10k: Math.round(((cpuSeconds(pids) - before) / count) * 10_000 * 100) / 100,
    memoryMb: memoryMb(pids),
  };
}

/** A table of the named figures, and the ratio of the first to each other. */
export function printFigures(title: string, figures: Readonly<Record<string, Figures | undefined>>): void {
  console.log(`\n${title}`);
  const present = Object.entries(figures).flatMap(([name, figure]) => (figure === undefined ? [] : [{ name, figure }]));
  console.table(
    Object.fromEntries(
      present.map(({ name, figure }) => [
        name,
        { 'msg/s': figure.perSecond, 'CPU s per 10,000': figure.cpuPer10k, 'PSS MB': figure.memoryMb },
      ]),
    ),
  );
  const [first, ...others] = present;
  for (const { name, figure } of others) {
    if (first !== undefined)
      console.log(
        `${first.name} / ${name}: ${(first.figure.perSecond / figure.perSecond).toFixed(2)} times the rate, ${(first.figure.cpuPer10k / figure.cpuPer10k).toFixed(2)} of the CPU`,
      );
  }
}
