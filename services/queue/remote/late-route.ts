import { openFindRoute, type OpenFindRouteOptions } from './open-find-route.ts';
import type { FindRoute } from './routes.ts';

/** The way to look up routes, opened with the service: nothing happens before. */
export class LateRoute {
  readonly #options: OpenFindRouteOptions & { findRoute?: FindRoute };
  #opened: { find: FindRoute; close: () => void } | undefined;

  constructor(options: OpenFindRouteOptions & { findRoute?: FindRoute }) {
    this.#options = options;
  }

  async open(): Promise<void> {
    const { findRoute } = this.#options;
    this.#opened = findRoute === undefined ? await openFindRoute(this.#options) : { find: findRoute, close: () => {} };
  }

  async find(...question: Parameters<FindRoute>): ReturnType<FindRoute> {
    if (this.#opened === undefined) throw new Error('the queue is not started');
    return this.#opened.find(...question);
  }

  close(): void {
    this.#opened?.close();
  }
}
