import type { ResolvedRecipient } from '../../libs/accept/targets.ts';
import { parseAddress } from '../../libs/mail/address/mailbox-address.ts';
import { createForwardMarks, type ForwardMarks, forwardMarkField } from '../../libs/mail/srs/forward-mark.ts';
import { createSrs, type Srs } from '../../libs/mail/srs/srs.ts';
import { type Reply, reply } from '../../libs/smtp/reply.ts';
import type { IngressContext } from './context.ts';
import { headerFields } from './header-section.ts';
import type { Transaction } from './transaction.ts';

/** What forwarding needs of its secrets. */
export interface Forwarding {
  srs: Srs;
  marks: ForwardMarks;
}

/** Undefined without a secret: aliases forward mail under the reverse-path that it came with. */
export function createForwarding(domain: string, secrets: readonly string[]): Forwarding | undefined {
  return secrets.length === 0 ? undefined : { srs: createSrs({ domain, secrets }), marks: createForwardMarks(secrets) };
}

/** Keys of the recipients that are aliases which lead elsewhere. */
export function forwardingAliases(recipients: readonly ResolvedRecipient[]): string[] {
  const keys = recipients.flatMap(({ recipient, resolution }) =>
    resolution.kind === 'local' && resolution.outside ? [parseAddress(recipient)?.key ?? recipient.toLowerCase()] : [],
  );
  return [...new Set(keys)];
}

/** The refusal of a message that one of these aliases has forwarded before. */
export function forwardingCircle(
  header: Buffer,
  aliases: readonly string[],
  { forwarding }: IngressContext,
): Reply | undefined {
  if (aliases.length === 0 || !forwarding) return undefined;
  const marks = headerFields(header).flatMap(({ name, value }) => (name === forwardMarkField ? [value] : []));
  return aliases.some((alias) => forwarding.marks.isMarked(marks, alias))
    ? reply(554, '5.4.6', 'An alias here has forwarded this message before: it goes in a circle')
    : undefined;
}

/** Past it Received fields alone end a circle: a message doesn't carry a thousand marks. */
const maxMarks = 20;

/** The marks that the message gets, as header lines. */
export function forwardingMarks(aliases: readonly string[], { forwarding }: IngressContext): string {
  if (!forwarding) return '';
  return aliases
    .slice(0, maxMarks)
    .map((alias) => forwarding.marks.line(alias))
    .join('');
}

/** MAIL FROM of what aliases forward; undefined when that is the sender: it is ours, so SPF lets us use it, or it can't be rewritten. */
export async function forwardedFrom(
  { reversePath }: Pick<Transaction, 'reversePath'>,
  { forwarding, resolver, clock }: IngressContext,
): Promise<string | undefined> {
  if (reversePath === '' || !forwarding) return undefined;
  const [sender] = await resolver.resolve([reversePath]);
  return sender?.kind === 'remote' ? forwarding.srs.forward(reversePath, clock.nowMs()) : undefined;
}
