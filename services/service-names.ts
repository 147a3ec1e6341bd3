import type { Service } from '../libs/runtime/service.ts';

export type ServiceName = Service['name'];

/** In the order of their start. */
export const serviceNames: readonly ServiceName[] = ['auth', 'queue', 'mailbox', 'delivery', 'ingress'];
