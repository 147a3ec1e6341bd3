import type { SMTPServerAuthentication, SMTPServerAuthenticationResponse, SMTPServerSession } from 'smtp-server';
import type { IngressContext } from './context.ts';
import { AuthenticatedUser } from './transaction.ts';

/** A reply to AUTH that isn't 235; the library takes code and text from it. */
export class AuthRefused extends Error {
  override readonly name = 'AuthRefused';
  readonly responseCode: number;

  constructor(responseCode: number, message: string) {
    super(message);
    this.responseCode = responseCode;
  }
}

/** What a token needs to submit mail; a password may do everything. */
const submissionScope = 'mail:send';

/**
 * Checks an AUTH PLAIN or LOGIN (RFC 4954). One answer for an unknown user, a wrong password and a disabled account. Rejects with AuthRefused.
 */
export async function authenticate(
  auth: SMTPServerAuthentication,
  session: SMTPServerSession,
  { verifier, log }: Pick<IngressContext, 'verifier' | 'log'>,
): Promise<SMTPServerAuthenticationResponse> {
  const { username = '', password, authzid = '', remoteAddress } = { ...auth, remoteAddress: session.remoteAddress };
  // RFC 4616 §2: nobody acts for another here.
  if (username === '' || !password || username.length > maxUsername || password.length > maxPassword) throw invalid();
  if (authzid !== '' && authzid !== username) throw invalid();
  const verified = await verifier
    .password({ username, password, remoteAddress, via: 'smtp' })
    .catch((error: unknown) => {
      log.warn({ err: error, remoteAddress }, 'a login could not be checked');
      throw new AuthRefused(454, '4.7.0 Logins can not be checked now, try again later');
    });
  if (!verified.ok) {
    throw verified.reason === 'limited'
      ? new AuthRefused(454, '4.7.0 Too many failed logins, try again later')
      : invalid();
  }
  const { scopes } = verified.identity;
  if (scopes.length > 0 && !scopes.includes(submissionScope)) throw invalid();
  return { user: new AuthenticatedUser(verified.identity) };
}

const invalid = (): AuthRefused => new AuthRefused(535, '5.7.8 Authentication credentials invalid');

/** As `auth.verify` takes them. */
const maxUsername = 320;
const maxPassword = 1024;
