import type { Credentials, LoginLimits } from '../../ports/credentials.ts';
import type { Directory, DirectoryAdmin } from '../../ports/directory.ts';
import type { MongoDatabase } from '../database.ts';
import { AccountTurns } from '../mailboxes/account-turns.ts';
import { mongoCredentials } from './credentials.ts';
import { mongoDirectoryAdmin } from './directory-admin.ts';
import { mongoDirectory } from './directory.ts';
import { mongoLoginLimits } from './login-limits.ts';

/** All but `directory` are auth's. */
export interface DirectoryPorts {
  directory: Directory;
  directoryAdmin: DirectoryAdmin;
  credentials: Credentials;
  loginLimits: LoginLimits;
}

export function directoryPorts(database: MongoDatabase): DirectoryPorts {
  const context = { database, turns: new AccountTurns() };
  return {
    directory: mongoDirectory(database),
    directoryAdmin: mongoDirectoryAdmin(context),
    credentials: mongoCredentials(context),
    loginLimits: mongoLoginLimits(database),
  };
}
