import * as permits from './groups/permits.ts';
import * as settings from './groups/settings.ts';
import * as use from './groups/use.ts';

export const writes = { ...permits.writes, ...use.writes, ...settings.writes };

export const reads = settings.reads;
