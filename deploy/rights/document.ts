import { natsPermissions } from './nats-permissions.ts';
import { type Rights, rights } from './table.ts';

/** docs/rights.md, made from the table. */
export function generateRightsDoc(): string {
  return `${[head, ...rights.flatMap(ofUser)].join('\n')}\n`;
}

const head = `<!-- Made from deploy/rights/table.ts by npm run docs. -->

# Rights

Each service has a user of its own on NATS and on MongoDB, with what it needs and nothing else: who takes over one service can't answer for auth, read
credentials, forge another's events or listen to others' replies. All of it is one table, \`deploy/rights/table.ts\`; the script, this page and the tests
(\`tests/integration/rights-*.test.ts\`) are made from it.

## Making the users

\`\`\`sh
npm run rights -- nats --out secrets        # nats-users.conf for nats-server, <user>.nkey for each service
MONGODB_ADMIN_URL='mongodb://root:…@db1,db2,db3/?replicaSet=rs0&authSource=admin' \\
npm run rights -- mongodb --out secrets     # makes roles and users, writes <user>.mongodb-url for each service
\`\`\`

- On NATS users log in by nkeys: the server's configuration has public keys only, and each service signs with its seed. Include \`nats-users.conf\` in the
  configuration of nats-server (\`include "nats-users.conf"\`) and reload it (\`nats-server --signal reload\`).
- On MongoDB a role \`waypost-<user>\` and a user are made in Waypost's database (\`--database\`, default \`waypost\`). The administrator needs \`userAdmin\` on it.
  The URL comes from the environment or \`--admin-url-file\`, never from an argument, which others on the machine could see. \`--ca-file\` for TLS.
- A service gets \`WAYPOST_NATS_NKEY_FILE=secrets/<user>.nkey\` and \`WAYPOST_MONGODB_URL_FILE=secrets/<user>.mongodb-url\`. These files are for their owner alone (0600).
- Both can be repeated: seeds and passwords that are in the folder stay, and users get the rights of the table, also where those have become fewer. Run it before
  an upgrade. To renew a secret, remove its file and repeat it.
- \`--print\` shows NATS's configuration, or commands for mongosh, instead of doing anything: for those who keep such things in files of their own.
  \`--only auth,ingress\` is about these users only; \`--reader NAME\` adds one more reader of events.
- \`waypost migrate\` runs as \`migrate\`, once before a release starts: services may make neither collections nor indexes nor the stream.

What can't be said more finely: MongoDB gives rights on collections, not documents, so mailbox may read every account's mail. An event reader may choose the
subject that a push consumer of its name sends events to; what is not a valid message there is set aside and counted.`;

function ofUser(each: Rights): string[] {
  const { publish, subscribe, allowResponses } = natsPermissions(each);
  const lines = ['', `## ${each.user}`, '', each.purpose, '', '| NATS | subjects |', '| --- | --- |'];
  lines.push(`| publish | ${codes(publish)} |`, `| subscribe | ${codes(subscribe)} |`);
  if (allowResponses) lines.push('| reply | once to each request that it got, within 2 minutes |');
  if (each.mongodb === undefined) return [...lines, '', 'No user on MongoDB.'];
  const { collections, everywhere } = each.mongodb;
  lines.push('', '| MongoDB | actions |', '| --- | --- |');
  for (const [name, actions] of Object.entries(collections)) lines.push(`| \`${name}\` | ${actions.join(', ')} |`);
  if (everywhere.length > 0) lines.push(`| the database | ${everywhere.join(', ')} |`);
  return lines;
}

const codes = (subjects: readonly string[]): string => subjects.map((subject) => `\`${subject}\``).join(' ');
