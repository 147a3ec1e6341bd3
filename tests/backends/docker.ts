import { request, type RequestOptions } from 'node:http';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { oncePerRun } from '../../tools/servers/once-per-run.ts';

const PING_LIMIT_MS = 2000;
const PULL_LIMIT_MS = 60_000;

/**
 * Resolves when a Docker engine answers and has the image, or could pull it within 60 s. Asked over the engine's own HTTP, so that a
 * machine without Docker doesn't load testcontainers.
 * @throws with the reason
 */
export async function dockerImage(image: string): Promise<void> {
  await oncePerRun(`docker-${image.replace(/\W/g, '-')}`, async () => {
    const engine = engineAddress();
    await ask(engine, 'GET', '/_ping', PING_LIMIT_MS);
    if (await hasImage(engine, image)) return;
    const [name = '', tag = ''] = image.split(':');
    await ask(engine, 'POST', `/images/create?fromImage=${encodeURIComponent(name)}&tag=${tag}`, PULL_LIMIT_MS);
    if (!(await hasImage(engine, image))) throw new Error(`the engine could not pull ${image}`);
  });
}

/** testcontainers, set for our way of cleaning up: the watchdog removes containers, its own cleaner's image can't always be had. */
export async function testcontainers(): Promise<typeof import('testcontainers')> {
  process.env['TESTCONTAINERS_RYUK_DISABLED'] ??= 'true';
  return import('testcontainers');
}

function engineAddress(): RequestOptions {
  const given = process.env['DOCKER_HOST'];
  if (given?.startsWith('unix://') === true) return { socketPath: given.slice('unix://'.length) };
  if (given?.startsWith('tcp://') === true) {
    const { hostname, port } = new URL(given);
    return { hostname, port };
  }
  const sockets = [
    '/var/run/docker.sock',
    join(process.env['XDG_RUNTIME_DIR'] ?? '/nowhere', 'docker.sock'),
    join(homedir(), '.docker', 'run', 'docker.sock'),
  ];
  const socketPath = sockets.find((path) => existsSync(path));
  if (socketPath === undefined) throw new Error('no engine (no DOCKER_HOST, no docker.sock)');
  return { socketPath };
}

async function hasImage(engine: RequestOptions, image: string): Promise<boolean> {
  const status = await ask(engine, 'GET', `/images/${encodeURIComponent(image)}/json`, PING_LIMIT_MS);
  return status === 200;
}

/** The status, after the whole answer has been read: a pull is over when its answer is. */
async function ask(engine: RequestOptions, method: string, path: string, limitMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const call = request({ ...engine, method, path, signal: AbortSignal.timeout(limitMs) }, (answer) => {
      text(answer).then(() => resolve(answer.statusCode ?? 0), reject);
    });
    call.once('error', (error) => reject(new Error(`the engine doesn't answer ${method} ${path}: ${error.message}`)));
    call.end();
  });
}
