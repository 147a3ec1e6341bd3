import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serverBinary } from './binaries.ts';
import type { MongoReplicaSet } from './mongo.ts';
import { initiateSet, primaryMember, SET_NAME, setUrl } from './mongo-set.ts';
import { freePorts, serverProcess } from './server-process.ts';
import { startWatchdog } from './watchdog.ts';

// A port that was free may be taken when mongod wants it.
const TRIES = 3;

/** A replica set of mongod processes on loopback, in a temporary folder. Gone when stopped, or when this process dies. */
export async function mongoProcesses(count: number): Promise<MongoReplicaSet> {
  const binary = await serverBinary('mongod');
  for (let attempt = 1; ; attempt++) {
    try {
      return await startSet(binary, await freePorts(count));
    } catch (error) {
      if (attempt === TRIES) throw error;
    }
  }
}

async function startSet(binary: string, ports: number[]): Promise<MongoReplicaSet> {
  const folder = mkdtempSync(join(tmpdir(), 'waypost-mongo-'));
  const watchdog = startWatchdog(folder);
  const processes = ports.map((port) => {
    const data = join(folder, String(port));
    mkdirSync(data);
    return serverProcess(binary, mongodArgs(port, data), join(folder, `${port}.log`), watchdog);
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
    await initiateSet(hosts, () => processes.every((server) => server.isRunning()));
  } catch (error) {
    const log = processes.map((server) => server.logTail()).join('\n');
    await watchdog.finish();
    throw new Error(`mongod didn't come up: ${error instanceof Error ? error.message : String(error)}\n${log}`, {
      cause: error,
    });
  }
  return { url: setUrl(hosts), members, primary: () => primaryMember(members), stop: () => watchdog.finish() };
}

function mongodArgs(port: number, data: string): string[] {
  const small = [
    '--wiredTigerCacheSizeGB',
    '0.25',
    '--oplogSize',
    '128',
    '--setParameter',
    'diagnosticDataCollectionEnabled=false',
  ];
  const place = ['--bind_ip', '127.0.0.1', '--port', String(port), '--dbpath', data, '--nounixsocket'];
  return ['--replSet', SET_NAME, ...place, ...small, '--quiet'];
}
