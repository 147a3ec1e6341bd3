import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Db, type Document, MongoClient } from 'mongodb';
import { keptSecret, writeSecret } from './secret-file.ts';
import type { Rights } from './table.ts';

export interface MongoUsersOptions {
  /** Of somebody who may make roles and users. */
  adminUrl: string;
  /** Of Waypost; roles and users are in it too. Default `waypost`. */
  database?: string;
  /** Where passwords and addresses go. */
  folder: string;
  caFile?: string | undefined;
}

/**
 * Makes a role and a user for each of `users` that has rights in MongoDB; those that are there get the rights of the table and the password of their file, so it can
 * be repeated. Writes `<user>.mongodb-url` (mode 0600), the value of WAYPOST_MONGODB_URL, into the folder; its password stays at a repeat.
 */
export async function writeMongoUsers(users: readonly Rights[], options: MongoUsersOptions): Promise<void> {
  const { adminUrl, database = defaultDatabase, folder, caFile } = options;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const tls = caFile === undefined ? {} : { tls: true, tlsCAFile: caFile };
  const client = new MongoClient(adminUrl, { serverSelectionTimeoutMS: 30_000, ...tls });
  try {
    const db = client.db(database);
    for (const rights of users) {
      const role = mongoRole(rights, database);
      if (role === undefined) continue;
      const password = keptSecret(join(folder, `${rights.user}.mongodb-password`), newPassword);
      await ensureRole(db, role);
      await ensureUser(db, rights.user, password, role.name);
      writeSecret(join(folder, `${rights.user}.mongodb-url`), userUrl(adminUrl, database, rights.user, password));
    }
  } finally {
    await client.close();
  }
}

export const defaultDatabase = 'waypost';

interface MongoRole {
  name: string;
  privileges: readonly { resource: { db: string; collection: string }; actions: readonly string[] }[];
}

/** Undefined for a user that has nothing in MongoDB. */
function mongoRole({ user, mongodb }: Rights, database: string): MongoRole | undefined {
  if (mongodb === undefined) return undefined;
  const { collections, everywhere } = mongodb;
  const resource = (collection: string) => ({ db: database, collection });
  return {
    name: `waypost-${user}`,
    privileges: [
      ...Object.entries(collections).map(([name, actions]) => ({ resource: resource(name), actions })),
      ...(everywhere.length === 0 ? [] : [{ resource: resource(''), actions: everywhere }]),
    ],
  };
}

/** What somebody pastes into mongosh to make the same by hand; it asks for the password. */
export function mongoCommands(users: readonly Rights[], database: string): string {
  const commands = users.flatMap((rights) => {
    const role = mongoRole(rights, database);
    if (role === undefined) return [];
    const { name, privileges } = role;
    const lines = privileges.map((privilege) => `  ${JSON.stringify(privilege)},`).join('\n');
    return [
      `// ${rights.user}: ${rights.purpose}`,
      `db.createRole({ role: ${JSON.stringify(name)}, roles: [], privileges: [\n${lines}\n] });`,
      `db.createUser({ user: ${JSON.stringify(rights.user)}, pwd: passwordPrompt(), roles: [${JSON.stringify(name)}] });`,
      '',
    ];
  });
  return `use ${database}\n\n${commands.join('\n')}`;
}

async function ensureRole(db: Db, { name, privileges }: MongoRole): Promise<void> {
  const { roles }: Document = await db.command({ rolesInfo: name });
  const command = Array.isArray(roles) && roles.length > 0 ? 'updateRole' : 'createRole';
  await db.command({ [command]: name, privileges, roles: [], writeConcern });
}

async function ensureUser(db: Db, user: string, password: string, role: string): Promise<void> {
  const { users }: Document = await db.command({ usersInfo: user });
  const command = Array.isArray(users) && users.length > 0 ? 'updateUser' : 'createUser';
  await db.command({ [command]: user, pwd: password, roles: [role], writeConcern });
}

const writeConcern = { w: 'majority' };

/** The same servers with the user's own name, which is known in Waypost's database. */
function userUrl(adminUrl: string, database: string, user: string, password: string): string {
  const [, scheme = '', rest = ''] = /^(mongodb(?:\+srv)?:\/\/)(?:[^/@]*@)?(.*)$/.exec(adminUrl) ?? [];
  const [place = '', query = ''] = rest.split('?');
  const hosts = place.split('/')[0] ?? '';
  const options = query.split('&').filter((option) => option !== '' && !/^auth(?:Source|Mechanism)=/i.test(option));
  const suffix = options.length === 0 ? '' : `?${options.join('&')}`;
  return `${scheme}${user}:${encodeURIComponent(password)}@${hosts}/${database}${suffix}`;
}

const newPassword = (): string => randomBytes(24).toString('base64url');
