import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import type { Permit } from '../../libs/store/ports/groups.ts';
import { limits, longMs, newGroup, noon, type OpenGroups } from './groups-fixture.ts';
import { until } from './partitions.ts';

const steps = fc.oneof(
  fc.record({ kind: fc.constant('acquire' as const), holder: fc.constantFrom('a', 'b'), want: fc.nat({ max: 4 }) }),
  fc.record({ kind: fc.constant('renew' as const), holder: fc.constantFrom('a', 'b'), from: fc.nat({ max: 9 }) }),
  fc.record({ kind: fc.constant('release' as const), from: fc.nat({ max: 9 }), count: fc.nat({ max: 3 }) }),
  fc.record({ kind: fc.constant('limit' as const), connections: fc.integer({ min: 1, max: 6 }) }),
  fc.record({ kind: fc.constant('expire' as const), holder: fc.constantFrom('a', 'b') }),
);

/** Any order of events against the plainest model there is: a list of who holds what. */
export function modelCases(store: () => OpenGroups): void {
  it('whatever happens in whatever order, who holds what is what a plain list says', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { minLength: 4, maxLength: 14 }), (run) => play(store(), run)),
      { numRuns: 30, seed: 3 },
    );
  });
}

async function play(
  { groups, other }: OpenGroups,
  run: readonly (typeof steps extends fc.Arbitrary<infer S> ? S : never)[],
): Promise<void> {
  const group = newGroup();
  /** It begins with five, whatever the limit. */
  const startAllowed = 5;
  let connections = 4;
  /** All that were ever given. Those that count have a holder; one whose time is over is there until the next that asks. */
  const given: (Permit & { holder: string | undefined; there: boolean })[] = [];
  const held = (holder?: string) =>
    given.filter((one) => one.holder !== undefined && (holder ?? one.holder) === one.holder);
  const named = ({ id }: Permit): Permit => ({ group, id });
  for (const [n, step] of run.entries()) {
    const by = n % 2 === 0 ? groups : other;
    if (step.kind === 'acquire') {
      const room = Math.max(0, Math.min(connections, startAllowed) - held().length);
      const request = {
        group,
        holder: step.holder,
        want: step.want,
        leaseMs: longMs,
        limits: limits({ connections }),
        now: noon,
      };
      const { permits, inUse } = await by.acquire(request);
      assert.equal(permits.length, Math.min(step.want, room));
      for (const one of given) one.there = one.holder !== undefined;
      for (const permit of permits) {
        assert.ok(!given.some(({ id }) => id === permit.id), 'an id was used again');
        given.push({ ...permit, holder: step.holder, there: true });
      }
      assert.equal(inUse, held().length);
    } else if (step.kind === 'renew') {
      const asked = given.slice(step.from);
      const answer = await by.renew({ holder: step.holder, permits: asked.map(named), leaseMs: longMs });
      assert.deepEqual(answer, asked.filter(({ holder }) => holder === step.holder).map(named));
    } else if (step.kind === 'release') {
      const asked = given.slice(step.from, step.from + step.count);
      const answers = await by.release(asked.map(named));
      assert.deepEqual(
        answers,
        asked.map(({ there }) => (there ? 'released' : 'gone')),
      );
      for (const one of asked) Object.assign(one, { holder: undefined, there: false });
    } else if (step.kind === 'limit') {
      connections = step.connections;
    } else {
      // Its leases end long since: it renews them for a time that is over, grace included.
      await by.renew({ holder: step.holder, permits: held(step.holder).map(named), leaseMs: -longMs });
      for (const one of held(step.holder)) one.holder = undefined;
      const left = held().length;
      await until(async () => (((await other.groups([group])).get(group)?.inUse ?? 0) === left ? [true] : []));
    }
  }
}
