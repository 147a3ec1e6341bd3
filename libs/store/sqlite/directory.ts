import { parseAddress } from '../../mail/address/mailbox-address.ts';
import type { Directory, DirectoryAdmin } from '../ports/directory.ts';
import type { Engine } from './engine/engine.ts';

export function sqliteDirectory(engine: Engine): Directory {
  return {
    lookup: ({ keys, domains }) => engine.read('directory.lookup', { keys, domains }),
    accounts: (ids) => engine.read('directory.accounts', { ids }),
    credentialVersions: (ids) => engine.read('directory.credentialVersions', { ids }),
    addressesOf: (accountId) => engine.read('directory.addressesOf', { accountId }),
    administrators: (limit) => engine.read('directory.administrators', { limit }),
    removedAccounts: (limit) => engine.read('directory.removedAccounts', { limit }),
  };
}

export function sqliteDirectoryAdmin(engine: Engine): DirectoryAdmin {
  return {
    domains: (page) => engine.read('directory.domains', page),
    addDomain: (domain) => engine.write('directory.addDomain', domain),
    removeDomain: (key) => engine.write('directory.removeDomain', { key }),

    listAccounts: (page) => engine.read('directory.listAccounts', page),
    addAccount: (account, passwordHash) => engine.write('directory.addAccount', { account, passwordHash }),
    updateAccount: (id, patch) => engine.write('directory.updateAccount', { id, patch }),
    removeAccount: (id, now) => engine.write('directory.removeAccount', { id, now }),
    accountPurged: (id, now) => engine.write('directory.accountPurged', { id, now }),
    uncopiedQuotas: (limit) => engine.read('directory.uncopiedQuotas', { limit }),
    quotaCopied: (accountId, version) => engine.write('directory.quotaCopied', { accountId, version }),

    aliases: (page) => engine.read('directory.aliases', page),
    addAlias: ({ targets, ...alias }) =>
      engine.write('directory.addAlias', { ...alias, targets: targets.map(withKey) }),
    updateAlias: (key, targets) => engine.write('directory.updateAlias', { key, targets: targets.map(withKey) }),
    removeAlias: (key) => engine.write('directory.removeAlias', { key }),
  };
}

/** Targets are found by key (who may send as an alias), shown as they were typed. */
const withKey = (target: string): { target: string; key: string } => ({
  target,
  key: parseAddress(target)?.key ?? target,
});
