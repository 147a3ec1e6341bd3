import { readFile } from 'node:fs/promises';
import express from 'express';
import type { RequestHandler, Router } from 'express';
import type { Logger } from '../ops/logger.ts';
import { replyWithError } from './problem-reply.ts';

/** `/api/openapi.json`, which `document` answers as JSON, and `/api/docs`, a page to browse it. */
export function documentRouter({ document, log }: { document: () => Promise<string>; log: Logger }): Router {
  const router = express.Router({ caseSensitive: true });
  router.get('/api/openapi.json', send('application/json; charset=utf-8', document, log));
  router.get('/api/docs', send('text/html; charset=utf-8', page('index.html'), log));
  router.get('/api/docs/page.js', send('text/javascript; charset=utf-8', page('page.js'), log));
  router.get('/api/docs/page.css', send('text/css; charset=utf-8', page('page.css'), log));
  router.all(
    ['/api/openapi.json', '/api/docs', '/api/docs/page.js', '/api/docs/page.css'],
    (_request, response, next) => {
      response.locals['allowed'] = ['GET', 'HEAD'];
      next();
    },
  );
  return router;
}

function page(name: string): () => Promise<string> {
  return () => readFile(new URL(`docs-page/${name}`, import.meta.url), 'utf8');
}

function send(contentType: string, content: () => Promise<string>, log: Logger): RequestHandler {
  return async (_request, response) => {
    try {
      const text = await content();
      response.setHeader('content-type', contentType);
      response.setHeader('cache-control', 'max-age=300');
      response.setHeader('content-security-policy', pagePolicy);
      response.end(text);
    } catch (error) {
      replyWithError(response, error, log, 'documentation');
    }
  };
}

/** Only what the page brings itself. */
const pagePolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
