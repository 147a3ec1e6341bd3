import { newId } from '../../libs/runtime/ids.ts';
import type { MongoStore } from '../../libs/store/mongo/open.ts';
import { account } from './directory.ts';

/** Every operation of the directory, credentials and login limits, with and without what it may leave out. */
export async function useDirectory({
  directory,
  directoryAdmin: admin,
  credentials,
  loginLimits,
}: MongoStore): Promise<void> {
  const now = Date.now();
  const page = { limit: 2 };
  const cursor = 'a';
  await admin.addDomain({ key: 'ours.test', name: 'Ours.test', createdAt: now });
  await admin.addDomain({ key: 'empty.test', name: 'empty.test', createdAt: now });
  await admin.removeDomain('empty.test');
  const user = account('user@ours.test', { admin: true });
  const other = account('other@ours.test', { admin: true });
  for (const one of [user, other]) await admin.addAccount(one, 'hash');
  await admin.addAlias({ key: 'team@ours.test', address: 'team@ours.test', targets: [user.address], createdAt: now });
  await admin.updateAlias('team@ours.test', [user.address, other.address]);
  for (const list of [page, { ...page, cursor }]) {
    await admin.domains(list);
    await admin.listAccounts(list);
    await admin.aliases(list);
  }
  await directory.lookup({ keys: [user.key, 'team@ours.test', '@ours.test'], domains: ['ours.test'] });
  await directory.accounts([user.id, other.id]);
  await directory.credentialVersions([user.id, other.id]);
  await directory.addressesOf(user.id);
  await directory.administrators(5);

  const [uncopied] = await admin.uncopiedQuotas(5);
  await admin.quotaCopied(uncopied?.accountId ?? '', uncopied?.version ?? 0);
  await admin.quotaCopied(user.id, 99);
  await admin.updateAccount(user.id, { displayName: 'User', quota: { bytes: 1, messages: null } });
  await admin.updateAccount(user.id, { passwordHash: 'other' });

  const app = { id: newId(), accountId: user.id, kind: 'app', name: 'phone', hash: 'h', createdAt: now } as const;
  await credentials.addAppPassword(app);
  await credentials.ofAccount(user.id);
  await credentials.appPasswords(user.id);
  await credentials.removeAppPassword(user.id, app.id);
  const token = { id: newId(), accountId: user.id, name: 't', scopes: ['mail:read'], hash: 't', expiresAt: null };
  await credentials.addToken({ ...token, createdAt: now });
  await credentials.tokens(user.id, page);
  await credentials.tokens(user.id, { ...page, cursor });
  await credentials.tokenByHash('t');
  await credentials.removeToken(user.id, token.id);

  await loginLimits.fail(['pair', 'network'], 1_000, now);
  await loginLimits.failures(['pair', 'network'], now);
  await loginLimits.clear(['pair']);
  await loginLimits.remember('pair', now + 1_000);
  await loginLimits.remembered('pair', now);
  await loginLimits.purge(now + 5_000, 10);

  await admin.updateAccount(other.id, { admin: false });
  await admin.updateAccount(other.id, { admin: true });
  await admin.removeAccount(other.id, now);
  await directory.removedAccounts(5);
  await admin.accountPurged(other.id, now);
  await admin.removeAlias('team@ours.test');
}
