import { readFile } from 'node:fs/promises';

/**
 * OpenAPI 3.1 of all services, as JSON: each process shows the whole API, whichever part of it is its own. `npm run docs` makes the file from the routes,
 * and the check fails when they differ.
 */
export function readApiDocument(): Promise<string> {
  return readFile(new URL('../../docs/openapi.json', import.meta.url), 'utf8');
}
