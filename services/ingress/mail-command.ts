import { parseAddress } from '../../libs/mail/address/mailbox-address.ts';
import { readEnvid, readRet } from '../../libs/smtp/dsn-parameters.ts';
import { type PathCommand, parsePathCommand } from '../../libs/smtp/path-command.ts';
import { type Reply, reply } from '../../libs/smtp/reply.ts';
import type { IngressContext, ListenerKind } from './context.ts';
import type { AuthenticatedUser, Transaction } from './transaction.ts';

/** What the session knows when MAIL comes. */
export interface MailState {
  kind: ListenerKind;
  secure: boolean;
  user: AuthenticatedUser | undefined;
  remoteAddress: string;
  /** The last EHLO or LHLO: HELO has no parameters. */
  extended: boolean;
}

/** The answer to MAIL (RFC 5321 §4.1.1.2): a transaction that may begin, or why not. Rejects when the directory can't be asked. */
export async function mailCommand(
  line: string,
  state: MailState,
  context: IngressContext,
): Promise<Transaction | Reply> {
  const command = parsePathCommand('MAIL FROM', line);
  if (!command) return reply(501, '5.5.4', 'Syntax: MAIL FROM:<address> [parameters]');
  if (!context.gate.open) return reply(451, '4.3.0', 'The store takes no mail now, try again later');
  return (
    authenticationNeeded(state) ??
    (await authenticationEnded(state, context)) ??
    parameterFault(command, state, context.maxMessageBytes) ??
    pathFault(command) ??
    (await ownershipFault(command.path, state, context)) ??
    begin(command, state, context)
  );
}

function begin({ path, params }: PathCommand, state: MailState, { isTrusted }: IngressContext): Transaction {
  const eightBit = params.get('BODY')?.toString().toUpperCase() === '8BITMIME';
  const envid = readEnvid(params.get('ENVID') ?? true);
  const ret = readRet(params.get('RET') ?? true);
  return {
    reversePath: path,
    smtputf8: params.has('SMTPUTF8'),
    body: eightBit ? '8BITMIME' : '7BIT',
    ...(envid !== undefined && { envid }),
    ...(ret && { ret }),
    extended: state.extended,
    mayRelay: state.user !== undefined || (state.kind === 'mx' && isTrusted(state.remoteAddress)),
    recipients: [],
    targets: new Set(),
  };
}

/** RFC 6409 §4.3. */
function authenticationNeeded({ kind, secure, user }: MailState): Reply | undefined {
  if (kind !== 'submission' || user) return undefined;
  return secure
    ? reply(530, '5.7.0', 'Authentication required')
    : reply(530, '5.7.0', 'Must issue a STARTTLS command first');
}

/** A session outlives a password change, an account that was disabled or removed. */
async function authenticationEnded({ user }: MailState, { verifier }: IngressContext): Promise<Reply | undefined> {
  if (user === undefined || (await verifier.isGood(user.identity))) return undefined;
  return reply(535, '5.7.8', 'The credentials of this session are good no more, connect again');
}

function parameterFault({ params }: PathCommand, state: MailState, maxMessageBytes: number): Reply | undefined {
  for (const [keyword, value] of params) {
    const fault = state.extended ? parameterFaults[keyword] : undefined;
    // RFC 5321 §4.1.1.11: what wasn't announced isn't recognised.
    if (!fault || (keyword === 'AUTH' && state.kind !== 'submission'))
      return reply(555, '5.5.4', `MAIL parameter ${keyword} is not known here`);
    const found = fault(value, maxMessageBytes);
    if (found) return found;
  }
  return undefined;
}

const parameterFaults: Readonly<Record<string, (value: string | true, maxMessageBytes: number) => Reply | undefined>> =
  {
    // RFC 1870 §4
    SIZE: (value, maxMessageBytes) => {
      if (value === true || !/^\d{1,20}$/.test(value)) return reply(501, '5.5.4', 'SIZE takes a number of octets');
      return Number(value) > maxMessageBytes ? tooLarge(maxMessageBytes) : undefined;
    },
    // RFC 6152 §2; BINARYMIME (RFC 3030) needs BDAT, which isn't offered.
    BODY: (value) =>
      value !== true && /^(?:7bit|8bitmime)$/i.test(value)
        ? undefined
        : reply(501, '5.5.4', 'BODY is 7BIT or 8BITMIME'),
    // RFC 6531 §3.4
    SMTPUTF8: (value) => (value === true ? undefined : reply(501, '5.5.4', 'SMTPUTF8 takes no value')),
    ENVID: (value) =>
      readEnvid(value) === undefined ? reply(501, '5.5.4', 'ENVID is up to 100 characters of xtext') : undefined,
    RET: (value) => (readRet(value) ? undefined : reply(501, '5.5.4', 'RET is FULL or HDRS')),
    // RFC 4954 §5; who submits is known better from the session.
    AUTH: (value) => (value === true ? reply(501, '5.5.4', 'AUTH takes a mailbox or <>') : undefined),
  };

export const tooLarge = (maxMessageBytes: number): Reply =>
  reply(552, '5.3.4', `Message too large, the limit is ${maxMessageBytes} octets`);

function pathFault({ path, params }: PathCommand): Reply | undefined {
  if (path === '') return undefined;
  if (!parseAddress(path)) return reply(501, '5.1.7', 'The sender is no valid address');
  // RFC 6531 §3.5
  if (!params.has('SMTPUTF8') && /[^ -~]/.test(path))
    return reply(550, '5.6.7', 'An address beyond ASCII needs SMTPUTF8');
  return undefined;
}

async function ownershipFault(
  path: string,
  { user }: MailState,
  { senderRights }: IngressContext,
): Promise<Reply | undefined> {
  if (!user) return undefined;
  // RFC 6409 §6.1: no user's message is a notification.
  if (path === '') return reply(550, '5.7.1', 'The null sender is for notifications, not for submission');
  return (await senderRights.mayUse(user.accountId, path))
    ? undefined
    : reply(553, '5.7.1', 'The sender address does not belong to you');
}
