import { after, before, describe } from 'node:test';
import { graceMs, type OpenGroups, type OpenGroupsStore } from './groups-fixture.ts';
import { healthCases } from './groups-health.ts';
import { modelCases } from './groups-model.ts';
import { permitCases } from './groups-permits.ts';
import { rateCases } from './groups-rate.ts';
import { settingCases } from './groups-settings.ts';

/** What each adapter of Groups keeps. `open` gives an empty store. */
export function groupsContract(name: string, open: OpenGroupsStore): void {
  for (const [group, cases] of Object.entries({ permitCases, rateCases, healthCases, settingCases, modelCases })) {
    describe(`limits of destinations contract: ${name}: ${group.replace('Cases', '')}`, () => {
      let store: OpenGroups | undefined;
      before(async () => {
        store = await open({ permitGraceMs: graceMs, random: () => 0.5 });
      });
      after(() => store?.close());
      cases(() => {
        if (store === undefined) throw new Error('not opened');
        return store;
      });
    });
  }
}
