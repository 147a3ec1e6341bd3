import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nkeys } from '@nats-io/transport-node';
import { natsPermissions, type NatsPermissions } from './nats-permissions.ts';
import { keptSecret } from './secret-file.ts';
import type { Rights } from './table.ts';

export interface NatsUserFiles {
  /** To be included in nats-server's configuration; nothing in it is secret. */
  config: string;
  /** The seed file of each user. */
  seeds: ReadonlyMap<string, string>;
}

/**
 * Writes `nats-users.conf` for the server and `<user>.nkey` (mode 0600) for each user into the folder. A seed that is there stays, so that only who has none gets
 * a new one.
 */
export function writeNatsUsers(users: readonly Rights[], folder: string): NatsUserFiles {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const seeds = new Map(users.map(({ user }) => [user, join(folder, `${user}.nkey`)]));
  const publicKeys = [...seeds].map(([user, path]) => [user, publicKeyOf(keptSecret(path, newSeed))] as const);
  const config = join(folder, 'nats-users.conf');
  writeFileSync(config, natsConfig(users, new Map(publicKeys)));
  return { config, seeds };
}

/** The block `authorization` of a nats-server that has these users and no other. */
export function natsConfig(users: readonly Rights[], publicKeys: ReadonlyMap<string, string>): string {
  const entries = users.map((rights) => {
    const key = publicKeys.get(rights.user) ?? '<public key, U…>';
    return userEntry(rights, key, natsPermissions(rights));
  });
  const head = '# Made by `npm run rights -- nats`. Include it in the configuration of nats-server.';
  return `${head}\nauthorization {\n  users: [\n${entries.join('\n')}\n  ]\n}\n`;
}

function newSeed(): string {
  return new TextDecoder().decode(nkeys.createUser().getSeed());
}

function publicKeyOf(seed: string): string {
  return nkeys.fromSeed(new TextEncoder().encode(seed)).getPublicKey();
}

function userEntry({ user, purpose }: Rights, publicKey: string, permissions: NatsPermissions): string {
  const { publish, subscribe, allowResponses } = permissions;
  const lines = [
    `# ${user}: ${purpose}`,
    '{',
    `  nkey: ${JSON.stringify(publicKey)}`,
    '  permissions: {',
    // An empty list would allow everything.
    `    publish: ${publish.length === 0 ? '{ deny: [">"] }' : `{ allow: ${list(publish)} }`}`,
    `    subscribe: { allow: ${list(subscribe)} }`,
    ...(allowResponses ? ['    allow_responses: { max: 1, expires: "2m" }'] : []),
    '  }',
    '}',
  ];
  return lines.map((line) => `    ${line}`).join('\n');
}

function list(subjects: readonly string[]): string {
  return `[${subjects.map((subject) => `\n            ${JSON.stringify(subject)}`).join('')}\n          ]`;
}
