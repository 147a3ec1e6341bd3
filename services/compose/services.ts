import { createVerifier } from '../../libs/directory/verifier.ts';
import type { Resolver } from '../../libs/dns/resolver.ts';
import { createAuthenticate } from '../../libs/http/authenticate.ts';
import { createHttpBytes } from '../../libs/http/http-bytes.ts';
import type { ParsePool } from '../../libs/mail/parse-pool/parse-pool.ts';
import type { Service } from '../../libs/runtime/service.ts';
import type { TlsMaterial } from '../../libs/runtime/tls.ts';
import type { AuthService } from '../auth/main.ts';
import type { Ingress } from '../ingress/main.ts';
import type { ServiceName } from '../service-names.ts';
import type { Backends, OpenRequest } from './backends.ts';

export interface Parts extends Omit<OpenRequest, 'opened' | 'waitsFor'> {
  backends: Backends;
  /** For ingress, which isn't made without. */
  tls: TlsMaterial | undefined;
  /** For mailbox. */
  parsePool: ParsePool;
  /** For auth and queue. */
  dns: Resolver;
}

export interface Services {
  auth: AuthService | undefined;
  ingress: Ingress | undefined;
  /** What others ask, or what asks nobody. */
  inner: readonly Service[];
  /** What clients' connections hold up. */
  outer: readonly Service[];
  all: readonly Service[];
}

/** Makes the wanted services. Each one's code is loaded only when it is wanted: a process of one service holds the code of one. */
export async function createServices(parts: Parts): Promise<Services> {
  const { backends, services: wanted, tls, ...rest } = parts;
  const { store, ...others } = backends;
  const verifier = createVerifier({ ...rest, ...others, directory: store.directory });
  const authenticate = createAuthenticate({ verifier, config: parts.config });
  const bytes = createHttpBytes(parts.metrics);
  const deps = { ...rest, ...others, ...store, verifier, authenticate, bytes };
  const of = async <T>(name: ServiceName, load: () => Promise<(own: typeof deps) => T>): Promise<T | undefined> =>
    wanted.includes(name) ? (await load())({ ...deps, log: parts.log.child({ service: name }) }) : undefined;

  const auth = await of('auth', async () => (await import('../auth/main.ts')).createAuth);
  const queue = await of('queue', async () => (await import('../queue/main.ts')).createQueue);
  const mailbox = await of('mailbox', async () => (await import('../mailbox/main.ts')).createMailbox);
  const delivery = await of('delivery', async () => (await import('../delivery/main.ts')).createDelivery);
  const ingress = await of('ingress', async () => {
    const { createIngress } = await import('../ingress/main.ts');
    if (tls === undefined) throw new TypeError('ingress needs a certificate');
    return (own) => createIngress({ ...own, tls });
  });
  const inner = present([auth, queue]);
  const outer = present([mailbox, delivery]);
  return { auth, ingress, inner, outer, all: present([...inner, ...outer, ingress]) };
}

function present(services: readonly (Service | undefined)[]): readonly Service[] {
  return services.filter((service) => service !== undefined);
}
