import type { Resolution } from '../bus/requests.ts';

/** What an address leads to, through a cache. Rejects when neither auth nor the store can be asked. */
export interface Resolver {
  resolve(address: string, signal: AbortSignal): Promise<Resolution>;
}
