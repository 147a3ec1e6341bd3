import assert from 'node:assert/strict';
import { test } from 'node:test';
import { generateConfigurationDoc } from './documentation.ts';
import { allSettings } from './settings.ts';

test('the documentation names every setting once, with its default', () => {
  const doc = generateConfigurationDoc();
  for (const setting of allSettings()) {
    assert.equal(doc.split(`| \`${setting.name}\``).length, 2, setting.name);
  }
  assert.match(doc, /`WAYPOST_HTTP_LISTEN` \| `127\.0\.0\.1:8080`/);
  assert.match(doc, /`WAYPOST_HOSTNAME` \| mail\.&lt;domain&gt;/);
});
