import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { eventSchemas } from './events.ts';

/** The content of docs/events.md. */
export function generateEventsDoc(): string {
  const sections = Object.entries(eventSchemas).map(([type, schema]) => section(type, schema));
  return [introduction, ...sections, howToRead()].join('\n');
}

const introduction = `# Events

Made from the schemas in libs/bus/events.ts by \`npm run docs\`; don't edit it here.

Services tell each other what has happened by events: CloudEvents 1.0 in structured JSON. The bus is never the only place where something is known: an event that
is lost delays work and loses none. Payloads are checked on both sides; one that doesn't fit is logged, counted
(\`waypost_bus_invalid_total\`) and set aside. Fields are only ever added: ignore what you don't know.

Every event has this frame; \`type\` begins with \`waypost.\` on the wire, and \`data\` is what the tables below show.

\`\`\`json
${JSON.stringify(
  {
    specversion: '1.0',
    id: '01a20903-46f0-7527-9315-e5331da53ff6',
    source: '/waypost/queue/0',
    type: 'waypost.mail.delivered',
    time: '2026-01-02T03:04:05.678Z',
    datacontenttype: 'application/json',
    data: {},
  },
  null,
  2,
)}
\`\`\`
`;

/** A test runs the program as it stands there, with the rights that stand there. */
function howToRead(): string {
  return `## How another program reads the events

In a cluster each event is published on the NATS subject \`waypost.event.<type>\` (\`waypost.event.mail.delivered\`), and the JetStream stream \`WAYPOST_EVENTS\` keeps
it for 7 days, or until newer ones fill its 256 MiB. A program reads them with a durable consumer of its own: the server remembers what it has
acknowledged, so it misses nothing while it is away, and several copies of it share the work. Each event comes at least once; \`id\` tells one that comes
again. An event can be lost with NATS's data or while NATS is away for long: what must be complete is asked of the HTTP API, and events
tell when to look.

The program gets a user of NATS with just what that takes. It can neither publish events nor ask the services anything. This is one more entry of
\`users\` in the \`authorization\` of nats-server (docs/examples/events-reader.conf):

\`\`\`hocon
${example('events-reader.conf')}\`\`\`

The program (docs/examples/read-events.mjs), with \`npm install @nats-io/transport-node @nats-io/jetstream\`:

\`\`\`js
${example('read-events.mjs')}\`\`\`

For other events change the filter in both. In other languages it is the same: a pull consumer with explicit acknowledgements, and JSON.
`;
}

const example = (name: string): string => readFileSync(new URL(`../../docs/examples/${name}`, import.meta.url), 'utf8');

type JsonSchema = z.core.JSONSchema.BaseSchema;

function section(type: string, schema: z.ZodType): string {
  const json = z.toJSONSchema(schema);
  const rows = Object.entries(json.properties ?? {}).map(([name, property]) => {
    const of = asSchema(property);
    const presence = json.required?.includes(name) === true ? '' : ' (optional)';
    return `| \`${name}\`${presence} | ${form(of)} | ${of.description ?? ''} |`;
  });
  const example = Object.fromEntries(
    Object.entries(json.properties ?? {}).map(([name, of]) => [name, exampleOf(name, asSchema(of))]),
  );
  return [
    `## ${type}`,
    '',
    json.description ?? '',
    '',
    '| field | form | meaning |',
    '| --- | --- | --- |',
    ...rows,
    '',
    '```json',
    JSON.stringify(example, null, 2),
    '```',
    '',
  ].join('\n');
}

function asSchema(schema: JsonSchema | boolean): JsonSchema {
  return typeof schema === 'boolean' ? {} : schema;
}

function form(schema: JsonSchema): string {
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${String(value)}\``).join(', ');
  if (schema.type === 'array') return `list of ${form(isSchema(schema.items) ? schema.items : {})}`;
  const named = schema.format ?? [schema.type ?? 'any'].flat().join(' or ');
  return schema.maxLength === undefined || schema.format !== undefined
    ? named
    : `${named}, at most ${schema.maxLength} characters`;
}

function isSchema(items: JsonSchema['items']): items is JsonSchema {
  return typeof items === 'object' && !Array.isArray(items);
}

/** Values as they really look, so that the examples can be read. */
const examples: Readonly<Record<string, unknown>> = {
  sender: 'alice@example.test',
  recipient: 'bob@example.test',
  username: 'bob@example.test',
  destination: 'local:17',
  deliveryId: '01a20903-46f0-7527-9315-e5331da53ff6/0',
  reply: '250 2.1.5 delivered',
  state: '1.42',
  network: '192.0.2.7',
  actor: 'admin@example.test',
  addresses: ['bob@example.test'],
  sizeBytes: 4096,
};

function exampleOf(name: string, schema: JsonSchema): unknown {
  if (name in examples) return examples[name];
  if (schema.enum !== undefined) return schema.enum[0];
  if (schema.format === 'uuid') return '01a20903-4736-731f-8465-97f4fac9a829';
  if (schema.format === 'date-time') return '2026-01-02T03:34:05.678Z';
  if (schema.type === 'boolean') return true;
  return schema.type === 'integer' || schema.type === 'number' ? 1 : '…';
}
