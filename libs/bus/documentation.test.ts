import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateEventsDoc } from './documentation.ts';
import { eventSchemas } from './events.ts';

test('each event is documented with an example that its own schema takes', () => {
  const doc = generateEventsDoc();
  for (const [type, schema] of Object.entries(eventSchemas)) {
    const section = doc.split(`\n## ${type}\n`)[1] ?? assert.fail(`${type} is missing`);
    const example = /```json\n([^]*?)```/.exec(section)?.[1] ?? '';
    schema.parse(JSON.parse(example));
  }
});
