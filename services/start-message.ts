import type { Waypost } from './all.ts';

/** What a process with an IPC channel sends to its parent instead of printing it: several processes have one first-start text. */
export interface StartMessage extends Pick<Waypost, 'addresses' | 'firstAccounts'> {
  ready: true;
  tls: { certFile: string; selfSigned: boolean } | undefined;
}

export function tellParent({ addresses, firstAccounts, tls }: Waypost): void {
  const certificate = tls && { certFile: tls.certFile, selfSigned: tls.selfSigned };
  process.send?.({ ready: true, addresses, firstAccounts, tls: certificate } satisfies StartMessage);
  // The channel alone doesn't keep a process.
  process.channel?.unref();
}
