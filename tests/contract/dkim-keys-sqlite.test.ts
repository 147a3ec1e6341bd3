import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sqliteDirectoryAdmin } from '../../libs/store/sqlite/directory.ts';
import { sqliteDkimKeys } from '../../libs/store/sqlite/dkim-keys.ts';
import { Engine } from '../../libs/store/sqlite/engine/engine.ts';
import { dkimKeysContract } from './dkim-keys.ts';

dkimKeysContract('sqlite', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'waypost-dkim-'));
  const engine = await Engine.open({ file: join(folder, 'waypost.db') });
  return {
    admin: sqliteDirectoryAdmin(engine),
    dkimKeys: sqliteDkimKeys(engine),
    close: async () => {
      await engine.close();
      await rm(folder, { recursive: true });
    },
  };
});
