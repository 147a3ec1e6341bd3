import type { MongoStore } from '../../libs/store/mongo/open.ts';

/** Every operation of the DKIM keys. */
export async function useDkimKeys({ directoryAdmin, dkimKeys }: MongoStore): Promise<void> {
  const domain = 'dkim.test';
  const [at, removeAt] = [2, 3];
  await directoryAdmin.addDomain({ key: domain, name: domain, createdAt: 1 });
  for (const selector of ['a', 'b']) {
    const texts = { publicKey: 'public', privateKey: 'plain:private', awaits: { keepMs: 1 } };
    await dkimKeys.add({ domain, selector, algorithm: 'rsa-sha256', ...texts, createdAt: 1 });
  }
  await dkimKeys.due(5, 10);
  await dkimKeys.setState({ domain, selector: 'a', state: 'active', at, removeAt });
  await dkimKeys.setState({ domain, selector: 'a', state: 'retired', at, removeAt });
  await dkimKeys.due(5, 10);
  await dkimKeys.list(domain);
  await dkimKeys.active([domain, 'ours.test']);
  await dkimKeys.remove(domain, 'a');
  await directoryAdmin.removeDomain(domain);
}
