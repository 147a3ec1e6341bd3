import { MongoAPIError, MongoParseError, MongoServerSelectionError, type TopologyDescription } from 'mongodb';
import { StoreUnavailable } from '../errors.ts';
import { hasServerCode, storeError, unauthorized } from './write-errors.ts';

/** The address, the credentials or the certificates are wrong: waiting doesn't help. `remedy` says what the operator does about it. */
export class StoreMisconfigured extends Error {
  override readonly name = 'StoreMisconfigured';
  readonly remedy: string;
  constructor(problem: string, remedy: string, options?: ErrorOptions) {
    super(`${problem}: ${remedy}`, options);
    this.remedy = remedy;
  }
}

/**
 * What kept us from opening the store, in one line, with what to do. Nothing of the URL is told but hosts: it has a password. `tls`: whether the URL or the
 * settings ask for it. StoreUnavailable is what may pass by itself.
 */
export function openingError(error: unknown, tls = false): unknown {
  if (error instanceof MongoServerSelectionError) return unreachable(error, tls);
  if (hasServerCode(error, authenticationFailed)) return new StoreMisconfigured(...wrongCredentials, { cause: error });
  if (hasServerCode(error, unauthorized)) return new StoreMisconfigured(...fewRights, { cause: error });
  if (error instanceof MongoParseError || error instanceof MongoAPIError) return wrongUrl();
  if (isOf(error, 'syscall', /^query(?:Srv|Txt)$/)) return noRecords();
  if (isOf(error, 'code', /^(?:ENOENT|EACCES|EISDIR)$/)) return new StoreMisconfigured(...noCaFile, { cause: error });
  return storeError(error, false);
}

/** Without its cause: that, or its text, may quote the URL. */
export const wrongUrl = (): StoreMisconfigured =>
  new StoreMisconfigured(
    'WAYPOST_MONGODB_URL is no address of MongoDB',
    'write it as mongodb://user:password@host1,host2/database?replicaSet=name, with user and password percent-encoded',
  );

const noRecords = (): StoreMisconfigured =>
  new StoreMisconfigured(
    'the host of WAYPOST_MONGODB_URL has no SRV records',
    'check it, or name the servers: mongodb://host1,host2/?replicaSet=name',
  );

const isOf = (error: unknown, field: 'code' | 'syscall', values: RegExp): boolean =>
  error instanceof Error && values.test(String(Object.entries(error).find(([name]) => name === field)?.[1]));

const authenticationFailed = 18;

const wrongCredentials = [
  'MongoDB refuses the credentials',
  'check user and password in WAYPOST_MONGODB_URL (percent-encoded), and authSource, the database that the user was made in',
] as const;
const fewRights = [
  'the user of MongoDB may not read or write the database',
  'give it the rights of its service, or run with another',
] as const;
const noCaFile = ['the certificate authorities of MongoDB can’t be read', 'check WAYPOST_MONGODB_CA_FILE'] as const;

/** The driver waits for a primary, and each server says why it isn't one. */
function unreachable(error: MongoServerSelectionError, tls: boolean): Error {
  const { reason } = error;
  const servers = reason === undefined ? [] : [...reason.servers.values()];
  const cause = { cause: error };
  const hosts = servers.map(({ address }) => address).join(', ');
  const told = servers.map(({ error: why }) => (why === null ? '' : textOf(why)));
  const all = told.join(' ');
  if (/ENOTFOUND|EAI_AGAIN|EAI_NODATA/.test(all)) {
    return new StoreUnavailable(
      `the address of MongoDB doesn’t resolve (${hosts}): check the host in WAYPOST_MONGODB_URL, and DNS`,
      cause,
    );
  }
  if (/certificate|CERT_|self-signed|altnames/i.test(all)) {
    return new StoreMisconfigured(
      `the certificate of MongoDB isn’t trusted (${hosts})`,
      'name the authority that signed it in WAYPOST_MONGODB_CA_FILE, and the host as the certificate does',
      cause,
    );
  }
  // Of one that takes the connection and says nothing there is no error yet when the wait ends.
  const silent = servers.length > 0 && servers.every(({ type, error: why }) => type === 'Unknown' && why === null);
  if (silent || /ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|timed out/.test(all)) {
    return new StoreUnavailable(
      `nothing answers at the address of MongoDB (${hosts}): check that it runs, the port, and what lies between`,
      cause,
    );
  }
  if (/ECONNRESET|closed/.test(all) && !told.includes('')) {
    const remedy = tls
      ? 'if it speaks no TLS, turn it on there, or leave tls out of WAYPOST_MONGODB_URL'
      : 'if it wants TLS, add tls=true to WAYPOST_MONGODB_URL and name its authority in WAYPOST_MONGODB_CA_FILE';
    return new StoreUnavailable(`MongoDB ends the connections (${hosts}): ${remedy}`, cause);
  }
  return noPrimary(reason, hosts, cause);
}

function noPrimary(reason: TopologyDescription | undefined, hosts: string, cause: ErrorOptions): Error {
  const setName = reason?.setName ?? undefined;
  if (setName !== undefined && reason?.servers.size === 0) {
    return new StoreMisconfigured(
      `no server of MongoDB is in the replica set ${JSON.stringify(setName)}`,
      'check replicaSet= in WAYPOST_MONGODB_URL',
      cause,
    );
  }
  return new StoreUnavailable(
    `MongoDB has no primary (${hosts}): see that a majority of its members runs, and that the set was initiated`,
    cause,
  );
}

function textOf(error: Error): string {
  const { cause } = error;
  return `${error.message} ${'code' in error ? String(error.code) : ''} ${cause instanceof Error ? textOf(cause) : ''}`;
}
