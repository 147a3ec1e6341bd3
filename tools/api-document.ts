// docs/openapi.json: the whole API, from the very schemas that the services check requests with.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../libs/config/load.ts';
import { routesOf } from '../libs/http/mount-routes.ts';
import { openApiDocument } from '../libs/http/openapi.ts';
import { createLogger } from '../libs/ops/logger.ts';
import { composeServices } from '../services/all.ts';
import { type Closing, closeAll } from '../services/compose/closing.ts';

/** Composes all services without starting them: their routes are there from then on. */
export async function generateApiDocument(): Promise<string> {
  const dataDir = await mkdtemp(join(tmpdir(), 'waypost-api-'));
  const opened: Closing[] = [];
  try {
    const config = loadConfig({ WAYPOST_DATA_DIR: dataDir });
    const services = await composeServices(config, createLogger({ level: 'error' }), opened);
    const routers = services.all.flatMap(({ router }) => (router === undefined ? [] : [router]));
    return `${JSON.stringify(openApiDocument(routers.flatMap(routesOf)), undefined, 1)}\n`;
  } finally {
    await closeAll(opened, 0);
    await rm(dataDir, { recursive: true, force: true });
  }
}
