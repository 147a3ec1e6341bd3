import type { Logger } from '../ops/logger.ts';

/**
 * Ends the process on SIGTERM or SIGINT: `stop` is called once, then exit 0. A second signal, or a `stop` that takes `patienceMs` longer than its
 * grace, ends it at once with 1: what isn't finished is safe in the store.
 */
export function stopOnSignals(options: { stop: () => Promise<void>; graceMs: number; log: Logger }): void {
  const { stop, graceMs, log } = options;
  let stoppingSinceMs: number | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stoppingSinceMs !== undefined) {
      // One Ctrl-C can come twice: from the terminal, and from npm which passes it on.
      if (performance.now() - stoppingSinceMs < sameSignalMs) return;
      log.warn({ signal }, 'a second signal: ending at once');
      process.exit(1);
    }
    stoppingSinceMs = performance.now();
    log.info({ signal, graceMs }, 'shutting down');
    setTimeout(() => {
      log.error('the shutdown did not end in time');
      process.exit(1);
    }, graceMs + patienceMs).unref();
    stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.fatal({ err: error }, 'the shutdown has failed');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
}

const patienceMs = 5000;
const sameSignalMs = 500;

/** A promise that nobody awaited or an error that nobody caught has left the process in a state that nobody knows: log it, end, be started again. */
export function crashOnUnhandled(log: Logger): void {
  const crash = (error: unknown, origin: string): void => {
    log.fatal({ err: error, origin }, 'an error that nothing handles: the process ends');
    process.exit(1);
  };
  process.on('uncaughtException', (error, origin) => crash(error, origin));
}
