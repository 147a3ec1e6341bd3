import { NotFound } from '../../../errors.ts';
import type { QuotaUse } from '../../../ports/mailboxes.ts';
import type { Body } from '../../../ports/spool.ts';
import type { Connection } from '../../engine/connection.ts';
import { bodyOf, readBody } from '../bodies.ts';
import { accountOf, findAccount, openAccount, stateOf } from './account-state.ts';
import { messageJson, storedMessage } from './message-rows.ts';

export const get = (connection: Connection, args: { accountId: string; id: string }): string =>
  messageJson(connection, accountOf(connection, args.accountId).account, args.id);

/** `message`: JSON of MessageRow. An appended message has no trace and no reverse-path. */
export function raw(connection: Connection, args: { accountId: string; id: string }): RawMessage {
  const { account } = accountOf(connection, args.accountId);
  const { n, kind, message_id: messageId } = storedMessage(connection, account, args.id);
  const stored = kind === 'append' ? appendedBody(connection, n) : readBody(connection, messageId);
  if (stored === undefined) throw new NotFound('body');
  const { trace, reversePath, body } = stored;
  return { message: messageJson(connection, account, args.id), trace, reversePath, body };
}

interface RawMessage {
  message: string;
  trace: string;
  reversePath: string;
  body: Body;
}

function appendedBody(connection: Connection, n: number): Omit<RawMessage, 'message'> | undefined {
  const row = connection.get<{ blobRef: string | null; bytes: Uint8Array | null }>(
    'SELECT blob_ref AS blobRef, bytes FROM message_bodies WHERE n = ?',
    n,
  );
  const body = row === undefined ? undefined : bodyOf(row);
  return body === undefined ? undefined : { trace: '', reversePath: '', body };
}

export const state = (connection: Connection, args: { accountId: string }): string =>
  stateOf(connection, accountOf(connection, args.accountId));

export function usage(connection: Connection, args: { accountIds: readonly string[] }): Map<string, QuotaUse> {
  const uses = new Map<string, QuotaUse>();
  for (const id of args.accountIds) {
    const account = findAccount(connection, id);
    if (account === undefined) continue;
    uses.set(id, {
      bytes: account.used_bytes,
      messages: account.used_messages,
      limitBytes: account.limit_bytes,
      limitMessages: account.limit_messages,
    });
  }
  return uses;
}

export function setQuota(
  connection: Connection,
  args: { accountId: string; bytes: number | null; messages: number | null },
): void {
  const { account } = openAccount(connection, args.accountId);
  connection.run(
    'UPDATE mail_accounts SET limit_bytes = ?, limit_messages = ? WHERE account = ?',
    args.bytes,
    args.messages,
    account,
  );
}
