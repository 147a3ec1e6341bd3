import type { MongoStore } from '../../libs/store/mongo/open.ts';
import { freshDatabase, mongoForFile } from '../backends/require.ts';
import { watchedStores } from '../support/mongo-wire.ts';
import { credentialsContract } from './credentials.ts';
import { directoryContract } from './directory.ts';
import { loginLimitsContract } from './login-limits.ts';

const mongo = await mongoForFile({ members: 3, own: false });

if (mongo.skip === false) {
  const { url } = mongo.backend;
  const openStore = watchedStores();
  const openOne = async () => {
    const store = await openStore({ url, database: freshDatabase() });
    return { ...portsOf(store), close: () => store.close() };
  };
  /** Two processes, each of which gets every other call: all that holds of one holds of both together. */
  const openTwo = async () => {
    const database = freshDatabase();
    const stores = await Promise.all([1, 2].map(() => openStore({ url, database })));
    const [first, second] = stores.map(portsOf);
    return {
      directory: inTurn(first!.directory, second!.directory),
      admin: inTurn(first!.admin, second!.admin),
      credentials: inTurn(first!.credentials, second!.credentials),
      limits: inTurn(first!.limits, second!.limits),
      close: async () => {
        await Promise.all(stores.map((store) => store.close()));
      },
    };
  };
  for (const [name, open] of [
    ['MongoDB', openOne],
    ['MongoDB, two processes', openTwo],
  ] as const) {
    directoryContract(name, open);
    credentialsContract(name, open);
    loginLimitsContract(name, open);
  }
}

function portsOf({ directory, directoryAdmin: admin, credentials, loginLimits: limits }: MongoStore) {
  return { directory, admin, credentials, limits };
}

function inTurn<T extends object>(first: T, second: T): T {
  let calls = 0;
  return new Proxy(first, {
    get: (_, name) => {
      calls += 1;
      return Reflect.get(calls % 2 === 0 ? first : second, name) as unknown;
    },
  });
}
