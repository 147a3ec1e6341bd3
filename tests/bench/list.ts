import { join } from 'node:path';
import { apiClient, createAccount } from '../support/api-client.ts';
import { startWaypost } from '../support/waypost-process.ts';
import { fillMailbox } from './fill-mailbox.ts';
import { type Options, measure } from './figures.ts';
import { httpLoad } from './http-load.ts';

const connections = 16;
const seconds = 5;

/** Reading over HTTP at 16 connections: the newest 50 of a mailbox of 10,000 and of one of 1,000,000, and one message. */
export async function benchList({ rounds, large }: Options): Promise<void> {
  const waypost = await startWaypost();
  try {
    const readers = [];
    for (const count of [10_000, large]) {
      const reader = await createAccount(waypost.api, waypost.admin, `reader${count}@example.test`);
      await reader.get('/api/v1/accounts/me/mailboxes');
      readers.push({ ...reader, count });
    }
    await waypost.terminate();
    for (const { id, count } of readers) fillMailbox(join(waypost.dataDir, 'waypost.db'), id, count);
    await waypost.restart();
    for (let round = 1; round <= rounds; round += 1) {
      for (const reader of readers) {
        const figures = await load(
          waypost.ports.http,
          waypost.pid,
          reader,
          '/api/v1/accounts/me/messages?mailbox=inbox&limit=50',
        );
        console.log(`list 50 of ${reader.count}, round ${round}:`, figures);
      }
      for (const reader of readers) {
        const figures = await load(
          waypost.ports.http,
          waypost.pid,
          reader,
          '/api/v1/accounts/me/messages?text=rare&limit=50',
        );
        console.log(`search in ${reader.count}, round ${round}:`, figures);
      }
    }
    const { items } = await apiClient(waypost.api, waypost.admin).get('/api/v1/accounts/me/mailboxes');
    if (!Array.isArray(items)) throw new Error('the API went away');
  } finally {
    await waypost.dispose();
  }
}

async function load(port: number, pid: number, user: { address: string; password: string }, path: string) {
  const authorization = `Basic ${Buffer.from(`${user.address}:${user.password}`).toString('base64')}`;
  let figures = { perSecond: 0, p50Ms: 0, p99Ms: 0 };
  const { cpuPer10k, memoryMb } = await measure([pid], 10_000, async () => {
    figures = await httpLoad({ port, path, authorization }, { connections, seconds });
    return seconds;
  });
  const requests = figures.perSecond * (seconds + 1);
  return { ...figures, cpuSecondsPer10k: Math.round((cpuPer10k / requests) * 10_000 * 100) / 100, memoryMb };
}
