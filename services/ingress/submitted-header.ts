import { dateTime } from '../../libs/accept/received.ts';
import { parseAddressList } from '../../libs/mail/address/header-addresses.ts';
import { type Reply, reply } from '../../libs/smtp/reply.ts';
import type { HeaderField } from './header-section.ts';
import type { SenderRights } from '../../libs/directory/sender-rights.ts';

/** RFC 6409 §6.1: everyone that From and Sender name must be the one who submits. Rejects when the directory can't be asked. */
export async function foreignOriginator(
  fields: readonly HeaderField[],
  accountId: string,
  rights: SenderRights,
): Promise<Reply | undefined> {
  const originators = fields.filter(({ name }) => name === 'from' || name === 'sender');
  if (!originators.some(({ name }) => name === 'from')) return reply(550, '5.6.0', 'The message has no From field');
  for (const { name, value } of originators) {
    const addresses = parseAddressList(value);
    if (addresses.length === 0) return reply(550, '5.6.0', `The ${name} field names no address`);
    for (const { email } of addresses) {
      if (!(await rights.mayUse(accountId, email)))
        return reply(550, '5.7.1', `An address in the ${name} field does not belong to you`);
    }
  }
  return undefined;
}

/** The fields that a submission server adds where they are missing (RFC 6409 §8.1, §8.2), each ended by CRLF. */
export function missingFields(
  fields: readonly HeaderField[],
  message: { messageId: string; hostname: string; atMs: number },
): string {
  const has = (name: string) => fields.some((field) => field.name === name);
  const date = has('date') ? '' : `Date: ${dateTime(message.atMs)}\r\n`;
  return has('message-id') ? date : `${date}Message-ID: <${message.messageId}@${message.hostname}>\r\n`;
}
