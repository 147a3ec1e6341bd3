import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { z } from 'zod';
import { listenOn } from '../../libs/runtime/listen.ts';

const portsSchema = z.object({ mongodb: z.tuple([z.int(), z.int(), z.int()]), nats: z.int() });

export type ServerPorts = z.infer<typeof portsSchema>;

/**
 * Ports of the cluster's own servers. Chosen at the first start and kept in the folder, because the members of the replica set know each other by them.
 * @throws an error that says what to do when one is taken by another program
 */
export async function serverPorts(folder: string): Promise<ServerPorts> {
  const file = join(folder, 'ports.json');
  if (!existsSync(file)) {
    const [a, b, c, nats] = await freePortsInRange();
    writeFileSync(file, `${JSON.stringify({ mongodb: [a, b, c], nats })}\n`);
  }
  const ports = portsSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  for (const port of [...ports.mongodb, ports.nats]) {
    if (await isFree(port)) continue;
    throw new PortTaken(
      `port ${port} of the cluster in ${folder} is taken by another program: end that one (a mongod or nats-server of a runner that was killed?), or take another folder with WAYPOST_DATA_DIR`,
    );
  }
  return ports;
}

class PortTaken extends Error {
  override readonly name = 'PortTaken';
}

/** Below those that systems hand out to outgoing connections, so that they are free at the next start too. */
async function freePortsInRange(): Promise<number[]> {
  const found: number[] = [];
  for (let tries = 0; found.length < 4 && tries < 1000; tries++) {
    const port = 20_000 + Math.floor(Math.random() * 11_000);
    if (!found.includes(port) && (await isFree(port))) found.push(port);
  }
  return found;
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await listenOn(server, { host: '127.0.0.1', port });
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}
