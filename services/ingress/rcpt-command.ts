import { maxRecipients, maxTargets } from '../../libs/accept/targets.ts';
import type { Resolution } from '../../libs/bus/requests.ts';
import { parseAddress } from '../../libs/mail/address/mailbox-address.ts';
import { parsePathCommand } from '../../libs/smtp/path-command.ts';
import { type Reply, reply } from '../../libs/smtp/reply.ts';
import type { IngressContext } from './context.ts';
import type { Transaction } from './transaction.ts';

/**
 * The answer to RCPT (RFC 5321 §4.1.1.3), each on its own; one of 250 has added the recipient to the transaction. Rejects when the directory can't be asked.
 */
export async function rcptCommand(line: string, transaction: Transaction, context: IngressContext): Promise<Reply> {
  const command = parsePathCommand('RCPT TO', line);
  if (!command) return reply(501, '5.5.4', 'Syntax: RCPT TO:<address>');
  for (const keyword of command.params.keys())
    return reply(555, '5.5.4', `RCPT parameter ${keyword} is not known here`);
  const { path } = command;
  // RFC 5321 §4.1.1.3: the postmaster needs no domain.
  if (!parseAddress(path) && !/^postmaster$/i.test(path))
    return reply(501, '5.1.3', 'The recipient is no valid address');
  if (!transaction.smtputf8 && /[^ -~]/.test(path))
    return reply(553, '5.6.7', 'An address beyond ASCII needs SMTPUTF8');
  // RFC 5321 §4.5.3.1.10
  if (transaction.recipients.length >= maxRecipients) return tooManyRecipients;
  const [resolution] = await context.resolver.resolve([path]);
  return resolution ? addRecipient(path, resolution, transaction) : unknown;
}

function addRecipient(path: string, resolution: Resolution, transaction: Transaction): Reply {
  if (resolution.kind !== 'local') return refusals[resolution.kind === 'refused' ? resolution.reason : resolution.kind];
  const { targets } = resolution;
  const enabled = targets.filter((target) => target.enabled);
  if (enabled.length === 0) return targets.length === 0 ? unknown : disabled;
  // An alias with room in one of its mailboxes is good: the others' rows wait for room, and their sender is told if none comes.
  if (enabled.every((target) => target.overQuota)) return mailboxFull;
  const added = targets.filter((target) => !transaction.targets.has(target.accountId));
  if (transaction.targets.size + added.length > maxTargets) return tooManyRecipients;
  for (const target of added) transaction.targets.add(target.accountId);
  transaction.recipients.push({ recipient: path, resolution });
  return accepted;
}

const accepted = reply(250, '2.1.5', 'Recipient OK');
const unknown = reply(550, '5.1.1', 'No such mailbox here');
const disabled = reply(550, '5.2.1', 'The mailbox is disabled');
const mailboxFull = reply(452, '4.2.2', 'The mailbox is full');
const tooManyRecipients = reply(452, '4.5.3', 'Too many recipients, send the rest in another transaction');

const refusals = {
  unknown,
  remote: reply(550, '5.7.1', 'Relaying denied: mail to other domains is not sent from here yet'),
  external: reply(
    550,
    '5.7.1',
    'Relaying denied: the alias leads to another domain, and mail to other domains is not sent from here yet',
  ),
  loop: reply(550, '5.4.6', 'The alias leads back to itself'),
  tooMany: reply(550, '5.7.1', 'The alias leads to too many mailboxes'),
} as const;
