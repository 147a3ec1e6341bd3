import type { Route } from '../config/forms.ts';
import { normaliseDomain } from '../mail/address/domain.ts';
import { parseAddress } from '../mail/address/mailbox-address.ts';
import { isLoopbackHost } from '../runtime/loopback.ts';
import type { Login } from '../smtp/client/authenticate.ts';
import type { TlsPolicy } from '../smtp/client/tls.ts';

/** The route of the destination's own domain, else of the sender's address, else of the sender's domain, else the one for all. */
export function matchRoute(
  routes: readonly Route[],
  mail: { destination: string; sender?: string | undefined },
): Route | undefined {
  const destination = normaliseDomain(mail.destination);
  const sender = mail.sender === undefined ? undefined : parseAddress(mail.sender);
  const ofDomain = routes.filter((route) => route.sender === undefined);
  const ofSender = (key: string | undefined): Route | undefined =>
    key === undefined ? undefined : routes.find((route) => route.sender === key);
  return (
    ofDomain.find(({ domain }) => domain !== '*' && domain === destination) ??
    ofSender(sender?.key) ??
    ofSender(sender?.domain) ??
    ofDomain.find(({ domain }) => domain === '*')
  );
}

/** What a route is called in results: `example.org`, `from:example.org`, `*`. */
export function routeName(route: Route): string {
  return route.sender === undefined ? route.domain : `from:${route.sender}`;
}

/** The login of the route that a result names; undefined when it has none. */
export function loginOfRoute(routes: readonly Route[], name: string): Login | undefined {
  const route = routes.find((candidate) => routeName(candidate) === name);
  if (route?.username === undefined || route.password === undefined) return undefined;
  return { user: route.username, password: route.password };
}

/**
 * As the route says. Else a password goes only to a server that has shown who it is, or to this machine; without one TLS is taken where it is offered, and
 * `smtps:` means a valid certificate.
 */
export function routeTlsPolicy(route: Route): TlsPolicy {
  const implicit = route.scheme === 'smtps';
  const local = isLoopbackHost(route.host);
  const wanted = route.tls ?? (implicit || (route.username !== undefined && !local) ? 'verified' : 'opportunistic');
  if (wanted === 'never' || wanted === 'opportunistic') return { mode: wanted, verify: { kind: 'none' } };
  const mode = implicit ? 'implicit' : 'required';
  return { mode, verify: wanted === 'verified' ? { kind: 'name', names: [route.host] } : { kind: 'none' } };
}
