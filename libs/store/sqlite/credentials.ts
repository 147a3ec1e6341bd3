import type { Credentials } from '../ports/credentials.ts';
import type { Engine } from './engine/engine.ts';

export function sqliteCredentials(engine: Engine): Credentials {
  return {
    ofAccount: (accountId) => engine.read('credentials.ofAccount', { accountId }),
    appPasswords: (accountId) => engine.read('credentials.appPasswords', { accountId }),
    addAppPassword: (row) => engine.write('credentials.addAppPassword', row),
    removeAppPassword: (accountId, id) => engine.write('credentials.removeAppPassword', { accountId, id }),
    tokens: (accountId, page) => engine.read('credentials.tokens', { accountId, ...page }),
    addToken: (token) => engine.write('credentials.addToken', token),
    tokenByHash: (hash) => engine.read('credentials.tokenByHash', { hash }),
    removeToken: (accountId, id) => engine.write('credentials.removeToken', { accountId, id }),
  };
}
