import { SET_NAME } from './mongo-set.ts';

export interface MongodPlace {
  port: number;
  /** Folder of its data; must exist. */
  data: string;
  /** What members know each other by; with it users need a name and a password. */
  keyFile?: string | undefined;
}

/** Arguments of a small mongod on loopback, a member of a replica set. */
export function mongodArgs({ port, data, keyFile }: MongodPlace): string[] {
  const small = [
    '--wiredTigerCacheSizeGB',
    '0.25',
    '--oplogSize',
    '128',
    '--setParameter',
    'diagnosticDataCollectionEnabled=false',
  ];
  const place = ['--bind_ip', '127.0.0.1', '--port', String(port), '--dbpath', data, '--nounixsocket'];
  const access = keyFile === undefined ? [] : ['--keyFile', keyFile];
  return ['--replSet', SET_NAME, ...place, ...small, ...access, '--quiet'];
}
