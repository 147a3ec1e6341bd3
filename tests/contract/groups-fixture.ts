import { defaultLimits, type Limits } from '../../libs/delivery/limits/limits.ts';
import { newId } from '../../libs/runtime/ids.ts';
import type { GroupsOptions } from '../../libs/store/group-rules.ts';
import type { Groups } from '../../libs/store/ports/groups.ts';

/** One store seen by two processes (where an adapter has no more than one process: twice the same). */
export interface OpenGroups {
  groups: Groups;
  other: Groups;
  close(): Promise<void>;
}

export type OpenGroupsStore = (options: Required<GroupsOptions>) => Promise<OpenGroups>;

/** Long enough not to end during a test, short enough to be waited for. */
export const longMs = 60_000;
export const shortMs = 30;
/** Here permits count so long after the end of their lease. */
export const graceMs = 150;

/** An hour and something: times are kept by the hour. */
export const noon = 1_750_000_000_000;

export const limits = (some: Partial<Limits> = {}): Limits => ({ ...defaultLimits, ...some });

/** A group that no other test has. */
export const newGroup = (): string => `${newId()}.example`;

/** Puts a group where all that its limit allows may be in use. */
export async function grown(groups: Groups, group: string, connections: number): Promise<void> {
  await groups.report({
    group,
    limits: limits({ connections }),
    ok: connections ** 2,
    failed: 0,
    unreachable: 0,
    now: noon,
  });
}
