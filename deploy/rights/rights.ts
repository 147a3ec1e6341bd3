// `npm run rights`: the users of Waypost's services on NATS and MongoDB, each with just its rights. docs/rights.md says how to use it.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { defaultDatabase, mongoCommands, writeMongoUsers } from './mongodb-users.ts';
import { natsConfig, writeNatsUsers } from './nats-users.ts';
import { type Rights, rights } from './table.ts';

const usage = `usage: npm run rights -- nats|mongodb --out FOLDER [option …]
       npm run rights -- nats|mongodb --print

nats      writes nats-users.conf for nats-server, and <user>.nkey for each user
mongodb   makes a role and a user for each service, and writes <user>.mongodb-url for each
          with the URL of an administrator in MONGODB_ADMIN_URL, or in the file that --admin-url-file names

--print             shows the configuration or the commands instead of doing anything
--only USER,…       these users only (default: all)
--reader NAME       one more reader of events, beside events-reader; can be repeated
--database NAME     Waypost's database (default: ${defaultDatabase})
--ca-file FILE      certificate authorities (PEM) of MongoDB
`;

class UsageError extends Error {}

await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<void> {
  try {
    await run(argv);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const wrongUse = error instanceof UsageError || ('code' in error && String(error.code).startsWith('ERR_PARSE'));
    process.stderr.write(wrongUse ? `${error.message}\n\n${usage}` : `rights: ${error.message}\n`);
    process.exitCode = wrongUse ? 2 : 1;
  }
}

async function run(argv: readonly string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      out: { type: 'string' },
      print: { type: 'boolean', default: false },
      only: { type: 'string' },
      reader: { type: 'string', multiple: true, default: [] },
      database: { type: 'string', default: defaultDatabase },
      'admin-url-file': { type: 'string' },
      'ca-file': { type: 'string' },
    },
  });
  const [where] = positionals;
  if ((where !== 'nats' && where !== 'mongodb') || positionals.length > 1) throw new UsageError('say nats or mongodb');
  const users = usersNamed(values.only, values.reader);
  const { out, database } = values;
  if (values.print) {
    process.stdout.write(where === 'nats' ? natsConfig(users, new Map()) : mongoCommands(users, database));
    return;
  }
  if (out === undefined) throw new UsageError('--out names the folder for what is made');
  if (where === 'nats') {
    const { config } = writeNatsUsers(users, out);
    process.stdout.write(`${config} is for nats-server, <user>.nkey beside it for each service\n`);
    return;
  }
  const adminUrl = adminUrlOf(values['admin-url-file']);
  await writeMongoUsers(users, { adminUrl, database, folder: out, caFile: values['ca-file'] });
  process.stdout.write(`the users are made; ${out} has <user>.mongodb-url for each service\n`);
}

function usersNamed(only: string | undefined, readers: readonly string[]): readonly Rights[] {
  const known = [...rights, ...readers.map(readerOf)];
  if (only === undefined) return known;
  return only.split(',').map((name) => {
    const found = known.find(({ user }) => user === name);
    if (found === undefined) throw new UsageError(`no user ${name}: ${known.map(({ user }) => user).join(', ')}`);
    return found;
  });
}

function readerOf(user: string): Rights {
  if (!/^[A-Za-z0-9_-]{1,32}$/.test(user)) throw new UsageError('a reader’s name: letters, digits, _ and -');
  const example = rights.find(({ nats }) => nats.stream === 'consume');
  if (example === undefined || rights.some((known) => known.user === user)) throw new UsageError(`${user} is taken`);
  return { ...example, user, purpose: 'Reads events by a durable consumer of its own name.' };
}

/** Not by an argument: others on the machine see those. */
function adminUrlOf(file: string | undefined): string {
  const url = file === undefined ? process.env['MONGODB_ADMIN_URL'] : readFileSync(file, 'utf8').trim();
  if (url === undefined || url === '') throw new UsageError('MONGODB_ADMIN_URL or --admin-url-file is needed');
  return url;
}
