import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serverBinary } from './binaries.ts';
import { ensureKeyFile } from './key-file.ts';
import { initiateSet, primaryMember, setUrl } from './mongo-set.ts';
import { mongodArgs } from './mongod.ts';
import type { MongoReplicaSet } from './replica-set.ts';
import { freePorts, serverProcess } from './server-process.ts';
import { startWatchdog } from './watchdog.ts';

// A port that was free may be taken when mongod wants it.
const TRIES = 3;

/** A replica set of mongod processes on loopback, in a temporary folder. Gone when stopped, or when this process dies. */
export async function mongoProcesses(
  count: number,
  { accessControl = false }: { accessControl?: boolean } = {},
): Promise<MongoReplicaSet> {
  const binary = await serverBinary('mongod');
  for (let attempt = 1; ; attempt++) {
    try {
      return await startSet(binary, await freePorts(count), accessControl);
    } catch (error) {
      if (attempt === TRIES) throw error;
    }
  }
}

async function startSet(binary: string, ports: number[], accessControl: boolean): Promise<MongoReplicaSet> {
  const folder = mkdtempSync(join(tmpdir(), 'waypost-mongo-'));
  const watchdog = startWatchdog(folder);
  const keyFile = accessControl ? ensureKeyFile(join(folder, 'keyfile')) : undefined;
  const processes = ports.map((port) => {
    const data = join(folder, String(port));
    mkdirSync(data);
    return serverProcess(binary, mongodArgs({ port, data, keyFile }), join(folder, `${port}.log`), watchdog);
  });
  const members = ports.map((port, index) => {
    const server = processes[index];
    if (server === undefined) throw new RangeError('a process for each port');
    return {
      host: `127.0.0.1:${port}`,
      kill: () => server.kill(),
      start: () => Promise.resolve(server.start()),
      pause: () => Promise.resolve(server.pause()),
      resume: () => Promise.resolve(server.resume()),
    };
  });
  const hosts = members.map(({ host }) => host);
  try {
    for (const server of processes) server.start();
    await initiateSet(hosts, () => processes.every((server) => server.isRunning()), { accessControl });
  } catch (error) {
    const log = processes.map((server) => server.logTail()).join('\n');
    await watchdog.finish();
    throw new Error(`mongod didn't come up: ${error instanceof Error ? error.message : String(error)}\n${log}`, {
      cause: error,
    });
  }
  return { url: setUrl(hosts), members, primary: () => primaryMember(members), stop: () => watchdog.finish() };
}
