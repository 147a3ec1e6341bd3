import assert from 'node:assert/strict';
import { it } from 'node:test';
import { limits, newGroup, noon, type OpenGroups } from './groups-fixture.ts';

export function rateCases(store: () => OpenGroups): void {
  it('two processes take together what the rate lets through: a second’s worth at once, then as it comes in', async () => {
    const { groups, other } = store();
    const request = { group: newGroup(), want: 30, limits: limits({ perSecond: 40 }), now: noon };
    const begun = performance.now();
    const at = (): number => performance.now() - begun;
    let got = 0;
    const take = async (by: typeof groups): Promise<void> => {
      while (at() < 1_500) {
        const tokens = await by.takeTokens(request);
        got += tokens.got;
        assert.ok(got <= 40 + (40 * at()) / 1_000 + 1e-3, `${got} after ${at()} ms`);
        assert.ok(tokens.nextInMs >= 0 && tokens.nextInMs <= 25, String(tokens.nextInMs));
        await new Promise((resolve) => setTimeout(resolve, tokens.nextInMs));
      }
    };
    await Promise.all([take(groups), take(other)]);
    const last = await groups.takeTokens(request);
    assert.ok(got + last.got >= 40 + 40 * 1.4, `${got} of at least 96`);
  });

  it('a group that was quiet for long has one second’s worth, no more', async () => {
    const { groups } = store();
    const group = newGroup();
    const take = (want: number, perSecond: number) =>
      groups.takeTokens({ group, want, limits: limits({ perSecond }), now: noon });
    assert.equal((await take(10, 3)).got, 3);
    const none = await take(10, 3);
    assert.equal(none.got, 0);
    assert.ok(none.nextInMs > 0 && none.nextInMs <= 334);
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    assert.equal((await take(10, 3)).got, 3);
  });

  it('without a limit all go; one that an operator sets counts at once', async () => {
    const { groups } = store();
    const group = newGroup();
    const take = (want: number, perSecond = 0) =>
      groups.takeTokens({ group, want, limits: limits({ perSecond }), now: noon });
    assert.deepEqual(await take(1_000), { got: 1_000, nextInMs: 0 });
    await groups.setLimits(group, { perSecond: 2 }, noon);
    assert.equal((await take(1_000)).got, 2);
    await groups.setLimits(group, { perSecond: 0 }, noon);
    assert.equal((await take(7, 1)).got, 7);
    assert.equal((await take(-3, 1)).got, 0);
  });
}
