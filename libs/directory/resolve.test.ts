import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Resolution } from '../bus/requests.ts';
import type { Account, Directory, DirectoryEntry } from '../store/ports/directory.ts';
import { resolveAddresses } from './resolve.ts';

const host = { domain: 'example.test', hostname: 'mail.example.test', literals: new Set(['[192.0.2.1]']) };

describe('resolving addresses', () => {
  it('an exact address is its account, whatever the case', async () => {
    assert.deepEqual(await one('ALICE@Example.TEST', { alice: 'account' }), local('alice'));
  });

  it('a tag is taken off when nobody has it in the address', async () => {
    assert.deepEqual(await one('alice+shop@example.test', { alice: 'account' }), local('alice'));
    assert.deepEqual(
      await one('alice+shop@example.test', { alice: 'account', 'alice+shop': ['bob'], bob: 'account' }),
      local('bob'),
    );
  });

  it('what nobody has goes to the catch-all, and without one is unknown', async () => {
    assert.deepEqual(await one('x@example.test', { alice: 'account', '': ['alice'] }), local('alice'));
    assert.deepEqual(await one('x@example.test', { alice: 'account' }), { kind: 'unknown' });
    assert.deepEqual(
      await one('alice@example.test', { alice: 'account', bob: 'account', '': ['bob'] }),
      local('alice'),
    );
  });

  it('what is no address is unknown', async () => {
    for (const text of ['', 'alice', '@example.test', 'a b@example.test', 'postmaster@']) {
      assert.deepEqual(await one(text, { alice: 'account' }), { kind: 'unknown' }, text);
    }
  });

  it('an address elsewhere is remote', async () => {
    assert.deepEqual(await one('x@Elsewhere.test', {}), { kind: 'remote', domain: 'elsewhere.test' });
    assert.deepEqual(await one('postmaster@elsewhere.test', {}), { kind: 'remote', domain: 'elsewhere.test' });
    assert.deepEqual(await one('x@[192.0.2.9]', {}), { kind: 'remote', domain: '[192.0.2.9]' });
  });

  it('an address at a literal of this host is one of its domain', async () => {
    assert.deepEqual(await one('alice@[192.0.2.1]', { alice: 'account' }), local('alice'));
  });

  it('postmaster reaches the oldest administrator when nobody is named so, with or without a domain', async () => {
    const directory = { root: 'admin', late: 'admin', '': ['late'] } as const;
    for (const address of [
      'postmaster',
      'PostMaster',
      'Postmaster@example.test',
      'postmaster@mail.example.test',
      'postmaster@[192.0.2.1]',
    ]) {
      assert.deepEqual(await one(address, directory), local('root'), address);
    }
    assert.deepEqual(await one('postmaster', { ...directory, postmaster: ['late'] }), local('late'));
    assert.deepEqual(await one('abuse@example.test', { ...directory, abuse: ['postmaster'] }), local('root'));
    assert.deepEqual(await one('postmaster', {}), { kind: 'unknown' });
  });

  it('nobody but postmaster is at the name of the server', async () => {
    assert.deepEqual(await one('alice@mail.example.test', { alice: 'account' }), { kind: 'unknown' });
  });

  it('nested aliases end in each account once, in order', async () => {
    const directory: TestDirectory = {
      all: ['b', 'a', 'team'],
      team: ['a', 'c', 'dev'],
      dev: ['b+x', 'c'],
      a: 'account',
      b: 'account',
      c: 'account',
    };
    assert.deepEqual(await one('all@example.test', directory), local('b', 'a', 'c'));
  });

  it('targets that are no more are passed over while one is left', async () => {
    assert.deepEqual(await one('team@example.test', { team: ['gone', 'a'], a: 'account' }), local('a'));
    assert.deepEqual(await one('team@example.test', { team: ['gone'] }), { kind: 'unknown' });
  });

  it('a circle is refused, also behind a tag or beside accounts', async () => {
    const loop = { kind: 'refused', reason: 'loop' };
    assert.deepEqual(await one('a@example.test', { a: ['a'] }), loop);
    assert.deepEqual(await one('a@example.test', { a: ['b+tag', 'x'], b: ['a'], x: 'account' }), loop);
    assert.deepEqual(await one('z@example.test', { '': ['nobody'] }), loop);
  });

  it('ten aliases in a row are followed, eleven are not', async () => {
    const row = (length: number): TestDirectory => {
      const aliases = Array.from({ length }, (_, i) => [`a${i}`, [i === length - 1 ? 'end' : `a${i + 1}`]] as const);
      return { ...Object.fromEntries(aliases), end: 'account' };
    };
    assert.deepEqual(await one('a0@example.test', row(10)), local('end'));
    assert.deepEqual(await one('a0@example.test', row(11)), { kind: 'refused', reason: 'loop' });
  });

  it('an alias may lead elsewhere, beside accounts and through other aliases, to each address once', async () => {
    const directory: TestDirectory = {
      team: ['a', 'nested', 'X@Elsewhere.test'],
      nested: ['X@elsewhere.test', 'x@elsewhere.test', 'jörg@bücher.test'],
      out: ['x@[192.0.2.9]'],
      a: 'account',
    };
    const outside = [
      { address: 'X@elsewhere.test', domain: 'elsewhere.test' },
      { address: 'x@elsewhere.test', domain: 'elsewhere.test' },
      { address: 'jörg@xn--bcher-kva.test', domain: 'xn--bcher-kva.test' },
    ];
    assert.deepEqual(await one('team@example.test', directory), { ...local('a'), outside });
    assert.deepEqual(await one('out@example.test', directory), {
      ...local(),
      outside: [{ address: 'x@[192.0.2.9]', domain: '[192.0.2.9]' }],
    });
  });

  it('accounts and addresses elsewhere together are at most 1,000', async () => {
    const list = (n: number): TestDirectory => ({
      all: ['accounts', 'far'],
      accounts: ['a', 'b'],
      far: Array.from({ length: n - 2 }, (_, i) => `u${i}@elsewhere.test`),
      a: 'account',
      b: 'account',
    });
    const taken = await one('all@example.test', list(1000));
    assert.equal(taken.kind === 'local' && taken.outside?.length, 998);
    assert.deepEqual(await one('all@example.test', list(1001)), { kind: 'refused', reason: 'tooMany' });
  });

  it('more than 1,000 accounts are refused, 1,000 are not', async () => {
    const list = (n: number): TestDirectory => {
      const names = Array.from({ length: n }, (_, i) => `u${i}`);
      const half = Math.ceil(n / 2);
      const accounts = Object.fromEntries(names.map((name) => [name, 'account' as const]));
      return { ...accounts, all: ['l1', 'l2'], l1: names.slice(0, half), l2: names.slice(half) };
    };
    const taken = await one('all@example.test', list(1000));
    assert.equal(taken.kind === 'local' && taken.targets.length, 1000);
    assert.deepEqual(await one('all@example.test', list(1001)), { kind: 'refused', reason: 'tooMany' });
  });

  it('says who is disabled and who is over quota', async () => {
    const { directory } = openDirectory({ a: 'disabled', b: 'account', c: 'account', all: ['a', 'b', 'c'] });
    const usage = async () =>
      new Map([
        ['b', { bytes: 10, messages: 1, limitBytes: 10, limitMessages: null }],
        ['c', { bytes: 10, messages: 1, limitBytes: 11, limitMessages: 2 }],
      ]);
    const [result] = await resolveAddresses(['all@example.test'], { directory, mailboxes: { usage }, host });
    assert.deepEqual(result?.kind === 'local' && result.targets.map(({ enabled, overQuota }) => [enabled, overQuota]), [
      [false, false],
      [true, true],
      [true, false],
    ]);
  });

  it('asks the directory once for each level, however many addresses there are', async () => {
    const { directory, lookups } = openDirectory({ a: ['b'], b: ['c'], c: 'account', d: ['e'], e: 'account' });
    const addresses = ['a', 'd', 'c', 'nobody', 'e+x'].map((name) => `${name}@example.test`);
    await resolveAddresses(addresses, { directory, host });
    assert.equal(lookups(), 3);
  });

  it('answers as a plain walk of the graph would, for any aliases', async () => {
    const name = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'gone');
    const entry = fc.oneof(fc.constant('account' as const), fc.array(name, { maxLength: 4 }));
    const graph = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), entry);
    await fc.assert(
      fc.asyncProperty(graph, name, async (directory, start) => {
        assert.deepEqual(await one(`${start}@example.test`, directory), plainWalk(directory, start));
      }),
      { numRuns: 300 },
    );
  });
});

type TestDirectory = Readonly<Record<string, 'account' | 'disabled' | 'admin' | readonly string[]>>;

async function one(address: string, entries: TestDirectory): Promise<Resolution> {
  const [result] = await resolveAddresses([address], { directory: openDirectory(entries).directory, host });
  assert.ok(result);
  return result;
}

function openDirectory(entries: TestDirectory): {
  directory: Pick<Directory, 'lookup' | 'administrators'>;
  lookups: () => number;
} {
  let lookups = 0;
  const atHome = (name: string): string => (name.includes('@') ? name : `${name}@example.test`);
  const all = new Map(
    Object.entries(entries).map(([name, value], i): [string, DirectoryEntry] => {
      const key = `${name}@example.test`;
      return [
        key,
        typeof value === 'string'
          ? { kind: 'account', account: account(name, i, value) }
          : { kind: 'alias', address: key, targets: value.map(atHome) },
      ];
    }),
  );
  const directory = {
    lookup: async ({ keys, domains }: { keys: readonly string[]; domains: readonly string[] }) => {
      lookups += 1;
      return {
        entries: new Map([...all].filter(([key]) => keys.includes(key))),
        domains: new Set(domains.filter((domain) => domain === 'example.test')),
      };
    },
    administrators: async (limit: number) =>
      [...all.values()]
        .flatMap((entry) => (entry.kind === 'account' && entry.account.admin ? [entry.account] : []))
        .slice(0, limit),
  };
  return { directory, lookups: () => lookups };
}

function account(name: string, createdAt: number, kind: string): Account {
  const key = `${name}@example.test`;
  const rights = { enabled: kind !== 'disabled', admin: kind === 'admin' };
  return {
    id: name,
    key,
    address: key,
    displayName: null,
    quota: { bytes: null, messages: null },
    credentialVersion: 1,
    createdAt,
    ...rights,
  };
}

function local(...names: string[]): Resolution {
  const targets = names.map((name) => ({
    accountId: name,
    address: `${name}@example.test`,
    enabled: true,
    overQuota: false,
  }));
  return { kind: 'local', targets };
}

/** Breadth first for the order of accounts, depth first for circles. */
function plainWalk(directory: TestDirectory, start: string): Resolution {
  const hasCircle = (name: string, path: readonly string[]): boolean => {
    const entry = directory[name];
    if (entry === undefined || typeof entry === 'string') return false;
    return path.includes(name) || entry.some((target) => hasCircle(target, [...path, name]));
  };
  if (hasCircle(start, [])) return { kind: 'refused', reason: 'loop' };
  const accounts = new Set<string>();
  let level = [start];
  while (level.length > 0) {
    for (const name of level) if (typeof directory[name] === 'string') accounts.add(name);
    level = level.flatMap((name) => {
      const entry = directory[name];
      return entry === undefined || typeof entry === 'string' ? [] : entry;
    });
  }
  return accounts.size === 0 ? { kind: 'unknown' } : local(...accounts);
}
