import type { MongoClient } from 'mongodb';

/** The server can't keep the promises. `remedy` says what the operator does about it. */
export class UnsuitableServer extends Error {
  override readonly name = 'UnsuitableServer';
  readonly remedy: string;
  constructor(problem: string, remedy: string) {
    super(`${problem}: ${remedy}`);
    this.remedy = remedy;
  }
}

const oldestServer: readonly [major: number, minor: number] = [6, 0];

/**
 * A standalone server has no majority, no transactions, and can lose acknowledged writes when it is killed: @throws UnsuitableServer for it, and for one
 * older than `minimum`.
 */
export async function checkServer(
  client: MongoClient,
  minimum: readonly [number, number] = oldestServer,
): Promise<void> {
  const admin = client.db('admin');
  const hello = await admin.command({ hello: 1 });
  if (typeof hello['setName'] !== 'string' && hello['msg'] !== 'isdbgrid') {
    throw new UnsuitableServer(
      'MongoDB runs as a standalone server',
      'start it with --replSet and run rs.initiate() once (one member will do), then add replicaSet=<name> to the URL',
    );
  }
  const version: unknown = (await admin.command({ buildInfo: 1 }))['version'];
  const [major = 0, minor = 0] = String(version).split('.').map(Number);
  const isOlder = major < minimum[0] || (major === minimum[0] && minor < minimum[1]);
  if (isOlder) {
    throw new UnsuitableServer(`MongoDB ${String(version)} is too old`, `use ${minimum.join('.')} or newer`);
  }
}
