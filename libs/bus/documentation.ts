import { z } from 'zod';
import { eventSchemas } from './events.ts';

/** The content of docs/events.md. */
export function generateEventsDoc(): string {
  return [introduction, ...Object.entries(eventSchemas).map(([type, schema]) => section(type, schema))].join('\n');
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
