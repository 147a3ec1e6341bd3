import { readFileSync } from 'node:fs';
import { startWaypost } from '../support/waypost-process.ts';
import { until } from '../support/until.ts';
import type { Options } from './figures.ts';
import { smtpLoad } from './load.ts';

/** RSS idle, and after each tenth of a run into one mailbox: it must not grow with the number of messages. */
export async function benchMemory(options: Options): Promise<void> {
  const waypost = await startWaypost();
  try {
    await new Promise((resolve) => setTimeout(resolve, idleMs));
    console.log(`idle: ${rssMb(waypost.pid)} MB`);
    const step = Math.ceil(options.messages / 10);
    for (let sent = step; sent <= options.messages; sent += step) {
      await smtpLoad({ ports: [waypost.ports.mx], to: waypost.admin.address }, { ...options, messages: step });
      await until('all is delivered', 300_000, async () => {
        const metrics = await (await fetch(`http://127.0.0.1:${waypost.ports.ops}/metrics`)).text();
        return Number(/^waypost_mailbox_delivered_total(?:\{[^}]*\})? (\d+)/m.exec(metrics)?.[1] ?? 0) >= sent;
      });
      console.log(`after ${sent}: ${rssMb(waypost.pid)} MB`);
    }
  } finally {
    await waypost.dispose();
  }
}

/** Long enough for what only the start needs to be let go. */
const idleMs = 10_000;

function rssMb(pid: number): number {
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024);
}
