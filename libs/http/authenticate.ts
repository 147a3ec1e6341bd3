import type { Request, Response } from 'express';
import type { Verified } from '../bus/requests.ts';
import type { Verifier } from '../directory/verifier.ts';
import { createClientReader } from './client.ts';
import type { Authenticate } from './mount-routes.ts';
import { problem } from './problem.ts';
import type { Caller } from './route.ts';

export interface AuthenticateOptions {
  verifier: Verifier;
  config: { trustedProxies: readonly string[]; allowPlaintextLogin: boolean };
}

/** Basic (RFC 7617, UTF-8) with an address and its password, or Bearer (RFC 6750) with a token. */
export function createAuthenticate({ verifier, config }: AuthenticateOptions): Authenticate {
  const clientOf = createClientReader(config.trustedProxies);
  return async (request: Request, _response: Response): Promise<Caller> => {
    const header = request.headers.authorization;
    if (header === undefined) throw unauthenticated();
    const client = clientOf(request);
    if (!client.private && !config.allowPlaintextLogin) throw problem('plaintextLogin');
    const verified = await check(verifier, header, client.address);
    if (verified.ok) return verified.identity;
    throw verified.reason === 'limited' ? limited(verified.retryAfterMs) : unauthenticated();
  };
}

async function check(verifier: Verifier, header: string, remoteAddress: string): Promise<Verified> {
  const [, scheme = '', value = ''] = /^(basic|bearer) +([A-Za-z0-9\-._~+/]+=*) *$/i.exec(header) ?? [];
  if (scheme.toLowerCase() === 'bearer' && value.length <= maxTokenLength) {
    return verifier.token({ token: value, remoteAddress, via: 'http' });
  }
  if (scheme.toLowerCase() !== 'basic') throw unauthenticated();
  const text = Buffer.from(value, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  const username = text.slice(0, colon);
  const password = text.slice(colon + 1);
  // What no account could have isn't asked for: the limits are those of the request's schema.
  if (colon === -1 || username.length > maxUsernameLength || password.length > maxPasswordLength)
    throw unauthenticated();
  return verifier.password({ username, password, remoteAddress, via: 'http' });
}

const maxTokenLength = 256;
const maxUsernameLength = 320;
const maxPasswordLength = 1024;

/** RFC 9110 §11.6.1. */
function unauthenticated() {
  return problem('unauthenticated', undefined, {
    headers: { 'www-authenticate': 'Basic realm="Waypost", charset="UTF-8", Bearer realm="Waypost"' },
  });
}

function limited(retryAfterMs = 1000) {
  return problem('loginLimited', undefined, {
    headers: { 'retry-after': String(Math.max(1, Math.ceil(retryAfterMs / 1000))) },
  });
}
