import type { MongoStore } from '../../libs/store/mongo/open.ts';
import { limits, noon } from './groups-fixture.ts';

/** Every operation of the limits of destinations, with and without what it may leave out. */
export async function useGroups({ groups }: MongoStore): Promise<void> {
  const group = 'mx.example';
  const asked = { group, limits: limits({ perSecond: 5 }), now: noon };
  const { permits } = await groups.acquire({ ...asked, holder: 'a', want: 2, leaseMs: 60_000 });
  await groups.renew({ holder: 'a', permits, leaseMs: 60_000 });
  await groups.release(permits);
  await groups.takeTokens({ ...asked, want: 2 });
  for (const counts of [
    { ok: 1, failed: 0, unreachable: 0 },
    { ok: 0, failed: 0, unreachable: 1 },
  ])
    await groups.report({ ...asked, ...counts });
  await groups.routed([{ destination: 'a.example', group }], noon);
  for (const named of [{ group }, { destination: 'a.example' }]) {
    await groups.pause(named, { actor: 'admin', now: noon });
    await groups.resume(named, noon);
  }
  await groups.setLimits(group, { connections: 3 }, noon);
  await groups.setLimits(group, null, noon);
  await groups.standing(['a.example', 'b.example']);
  await groups.groups([group]);
  for (const page of [{ limit: 5 }, { prefix: 'a', limit: 5, cursor: 'a' }]) {
    await groups.list(page);
    await groups.listGroups(page);
  }
  await groups.purge({ before: noon - 1, limit: 10 });
}
