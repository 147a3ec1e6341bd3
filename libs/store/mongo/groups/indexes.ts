import type { Index } from '../indexes.ts';

/** Of the limits of destinations; all else goes by `_id`. */
export const groupIndexes: readonly Index[] = [
  { collection: 'groups', name: 'groups_used', key: { usedAt: 1 }, useCase: 'garbage: groups that nobody uses' },
  {
    collection: 'destinations',
    name: 'destinations_seen',
    key: { seenAt: 1 },
    useCase: 'garbage: destinations that nobody uses',
  },
];
