import * as accounts from './directory/accounts.ts';
import * as aliases from './directory/aliases.ts';
import * as domains from './directory/domains.ts';
import * as lookup from './directory/lookup.ts';

export const writes = { ...domains.writes, ...accounts.writes, ...aliases.writes };

export const reads = { ...domains.reads, ...accounts.reads, ...aliases.reads, ...lookup.reads };
