import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { ApiClient } from './api-client.ts';
import { until } from './until.ts';

export const mine = '/api/v1/accounts/me';

/** A message of a list (MessageItem of the API). */
export interface Listed {
  id: string;
  subject: string;
  receivedAt: string;
  mailboxIds: Record<string, true>;
  keywords: Record<string, true>;
  hasAttachment: boolean;
  unparsable: boolean;
  size: number;
  preview: string;
}

/** Waits until a message with the subject is in the mailbox, and answers it. More than one at that moment is a failure. */
export async function arrived(
  client: ApiClient,
  subject: string,
  options: { mailbox?: string; timeoutMs?: number } = {},
): Promise<Listed> {
  const { mailbox = 'inbox', timeoutMs = 10_000 } = options;
  let found: Listed[] = [];
  await until(`"${subject}" is in ${mailbox}`, timeoutMs, async () => {
    found = (await allIn(client, `&mailbox=${mailbox}`)).filter((message) => message.subject === subject);
    return found.length > 0;
  });
  assert.equal(found.length, 1, `"${subject}" is in ${mailbox} ${found.length} times`);
  return found[0]!;
}

/** Every message that fits the query (`&name=value…`), page after page. */
export async function allIn(client: ApiClient, query = '', limit = 500): Promise<Listed[]> {
  const items: Listed[] = [];
  let at = '';
  for (;;) {
    const page = await client.get(`${mine}/messages?limit=${limit}${query}${at}`);
    items.push(...page.items);
    if (page.nextCursor === null) return items;
    at = `&cursor=${page.nextCursor}`;
  }
}

export const rawOf = (client: ApiClient, id: string): Promise<Buffer> => client.bytes(`${mine}/messages/${id}/raw`);

export const sha256 = (bytes: string | Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** The id of the mailbox with the role. */
export async function mailboxId(client: ApiClient, role: string): Promise<string> {
  const { items } = await client.get(`${mine}/mailboxes`);
  const found = items.find((mailbox: { role: string | null }) => mailbox.role === role);
  assert.ok(found, `there is no mailbox with the role ${role}`);
  return found.id;
}

/** No row of the queue is unfinished, so that nothing more can arrive. */
export async function queueIsDone(admin: ApiClient, timeoutMs = 10_000): Promise<void> {
  await until('nothing is queued or leased', timeoutMs, async () => {
    for (const state of ['queued', 'leased']) {
      const { items } = await admin.get(`/api/v1/queue/deliveries?state=${state}&limit=1`);
      if (items.length > 0) return false;
    }
    return true;
  });
}
