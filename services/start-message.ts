import type { Waypost } from './all.ts';

/** What a process with an IPC channel sends to its parent instead of printing it: several processes have one first-start text. */
export interface StartMessage extends Pick<Waypost, 'addresses' | 'firstAccounts'> {
  ready: true;
  tls: { certFile: string; selfSigned: boolean };
}

export function tellParent({ addresses, firstAccounts, tls }: Waypost): void {
  const { certFile, selfSigned } = tls;
  process.send?.({ ready: true, addresses, firstAccounts, tls: { certFile, selfSigned } } satisfies StartMessage);
  // The channel alone doesn't keep a process.
  process.channel?.unref();
}
