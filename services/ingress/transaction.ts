import type { ResolvedRecipient } from '../../libs/accept/targets.ts';
import type { Identity } from '../../libs/bus/requests.ts';

/** A mail transaction from its MAIL to the reply after its data (RFC 5321 §3.3). */
export interface Transaction {
  /** As given, without brackets; '' is the null reverse-path. */
  reversePath: string;
  smtputf8: boolean;
  body: '7BIT' | '8BITMIME';
  /** RFC 3461 §4.4 (its xtext decoded) and §4.3. */
  envid?: string;
  ret?: 'FULL' | 'HDRS';
  /** It began with EHLO or LHLO: commands may have parameters. */
  extended: boolean;
  /** Mail to other domains is taken: the client has logged in, or is of a trusted network. */
  mayRelay: boolean;
  /** One for each RCPT that was answered 250, repeated ones too: LMTP owes each of them a reply (RFC 2033 §4.2). */
  recipients: ResolvedRecipient[];
  /** What they lead to: accounts and remote addresses. */
  targets: Set<string>;
}

/** The authenticated client of a submission session. */
export class AuthenticatedUser {
  readonly accountId: string;
  readonly address: string;
  /** As it was verified: asked about again with each transaction. */
  readonly identity: Identity;

  constructor(identity: Identity) {
    this.accountId = identity.accountId;
    this.address = identity.address;
    this.identity = identity;
  }
}
