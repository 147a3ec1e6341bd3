import assert from 'node:assert/strict';
import { after } from 'node:test';
import type { CommandStartedEvent } from 'mongodb';
import { type MongoStore, type MongoStoreOptions, openMongoStore } from '../../libs/store/mongo/open.ts';

type Command = Pick<CommandStartedEvent, 'commandName' | 'command'>;

/** What is wrong with a command's promises (1 and 7): undefined when nothing is, or it makes none. */
export function brokenPromise({ commandName, command }: Command): string | undefined {
  const inTransaction = command['autocommit'] === false;
  if (commandName === 'commitTransaction' || (writes.has(commandName) && !inTransaction)) {
    const { w, j } = command['writeConcern'] ?? {};
    return w === 'majority' && j === true ? undefined : `${commandName} of ${nameOf(command)} isn’t durable`;
  }
  if (!reads.has(commandName) || isOfTheServer(command)) return undefined;
  const level: unknown = command['readConcern']?.level;
  // Later statements of a transaction have the first one's.
  if (inTransaction && command['startTransaction'] !== true) return level === undefined ? undefined : 'a second level';
  if (level === 'snapshot' || (level === 'majority' && !inTransaction)) return undefined;
  return `${commandName} of ${nameOf(command)} reads ${String(level)}`;
}

export const isWrite = ({ commandName }: Command): boolean =>
  commandName === 'commitTransaction' || writes.has(commandName);

const writes = new Set(['insert', 'update', 'delete', 'findAndModify', 'bulkWrite']);
const reads = new Set(['find', 'aggregate', 'distinct', 'count']);

const nameOf = (command: CommandStartedEvent['command']): string => String(Object.values(command)[0]);

/** What the server does, not what it keeps. */
const isOfTheServer = ({ pipeline }: CommandStartedEvent['command']): boolean =>
  pipeline?.[0]?.$currentOp !== undefined;

/**
 * Opens stores for the suites of a file, and looks at every command that any of them sends: after the file's last test there were writes, and all of them, and all
 * reads, kept the promises.
 */
export function watchedStores(): (options: MongoStoreOptions) => Promise<MongoStore> {
  const broken = new Set<string>();
  let written = 0;
  after(() => {
    assert.ok(written > 0, 'something was written');
    assert.deepEqual([...broken], []);
  });
  return async (options) => {
    const store = await openMongoStore({ ...options, monitorCommands: true });
    store.database.client.on('commandStarted', (event) => {
      if (isWrite(event)) written += 1;
      const problem = brokenPromise(event);
      if (problem !== undefined) broken.add(problem);
    });
    return store;
  };
}
