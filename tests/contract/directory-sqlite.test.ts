import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sqliteCredentials } from '../../libs/store/sqlite/credentials.ts';
import { sqliteDirectory, sqliteDirectoryAdmin } from '../../libs/store/sqlite/directory.ts';
import { Engine } from '../../libs/store/sqlite/engine/engine.ts';
import { sqliteLoginLimits } from '../../libs/store/sqlite/login-limits.ts';
import { credentialsContract } from './credentials.ts';
import { directoryContract } from './directory.ts';
import { loginLimitsContract } from './login-limits.ts';

directoryContract('sqlite', open);
credentialsContract('sqlite', open);
loginLimitsContract('sqlite', open);

async function open() {
  const folder = await mkdtemp(join(tmpdir(), 'waypost-directory-'));
  const engine = await Engine.open({ file: join(folder, 'waypost.db') });
  return {
    directory: sqliteDirectory(engine),
    admin: sqliteDirectoryAdmin(engine),
    credentials: sqliteCredentials(engine),
    limits: sqliteLoginLimits(engine),
    close: async () => {
      await engine.close();
      await rm(folder, { recursive: true });
    },
  };
}
