import type { Index } from '../indexes.ts';

/** Of DKIM keys; all else goes by `_id`. */
export const dkimIndexes: readonly Index[] = [
  {
    collection: 'dkimKeys',
    name: 'dkim_keys_awaiting',
    key: { awaiting: 1 },
    useCase: 'keys that wait for their DNS record',
    options: { sparse: true },
  },
  {
    collection: 'dkimKeys',
    name: 'dkim_keys_removable',
    key: { removeAt: 1 },
    useCase: 'garbage: retired keys whose time has come',
    options: { sparse: true },
  },
];
