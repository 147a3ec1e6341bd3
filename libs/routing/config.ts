import type { Route } from '../config/forms.ts';
import type { Config } from '../config/load.ts';
import { type AddressOrder, addressOrder } from './ip-preference.ts';

export interface RoutingConfig {
  routes: readonly Route[];
  /** Names under which this server is in MX records, A-labels in lower case. */
  ownNames: readonly string[];
  /** Public addresses of this server, where they are known. */
  ownAddresses: readonly string[];
  addressOrder: AddressOrder;
  allowPrivateDestinations: boolean;
  allowAddressLiterals: boolean;
  /** Of mail hosts: 25, but for tests. */
  mxPort: number;
}

export function routingConfig(
  config: Pick<Config, 'routes' | 'hostname' | 'ipPreference' | 'allowPrivateDestinations' | 'allowAddressLiterals'>,
): RoutingConfig {
  return {
    routes: config.routes,
    ownNames: [config.hostname],
    ownAddresses: [],
    addressOrder: addressOrder(config.ipPreference),
    allowPrivateDestinations: config.allowPrivateDestinations,
    allowAddressLiterals: config.allowAddressLiterals,
    mxPort: 25,
  };
}
