import { normaliseDomain } from '../../libs/mail/address/domain.ts';
import { NotFound, Refused } from '../../libs/store/errors.ts';
import type { Domain } from '../../libs/store/ports/directory.ts';
import type { AuthContext } from './context.ts';

export async function addDomain(context: AuthContext, name: string): Promise<Domain> {
  const key = normaliseDomain(name);
  if (key === undefined) throw new Refused('invalidDomain', `${name} is no domain name`);
  const domain = { key, name, createdAt: context.clock.nowMs() };
  await context.directoryAdmin.addDomain(domain);
  announce(context);
  return domain;
}

export async function removeDomain(context: AuthContext, name: string): Promise<void> {
  const key = normaliseDomain(name);
  if (key === undefined) throw new NotFound('domain');
  await context.directoryAdmin.removeDomain(key);
  announce(context);
}

/** It is any address of the domain whose meaning changes. */
function announce(context: AuthContext): void {
  context.bus.publish('account.changed', { addresses: [], change: 'domain' });
}
