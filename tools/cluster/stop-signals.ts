/**
 * Ctrl-C and SIGTERM: the first one begins the stop, another one ends everything at once.
 * @returns a signal that aborts with the first one
 */
export function stopSignals({ first, again }: { first: () => void; again: () => void }): AbortSignal {
  const stopping = new AbortController();
  let sinceMs = 0;
  const onSignal = (): void => {
    if (!stopping.signal.aborted) {
      sinceMs = performance.now();
      first();
      stopping.abort();
      return;
    }
    // One Ctrl-C can come twice: from the terminal, and from npm which passes it on.
    if (performance.now() - sinceMs >= sameSignalMs) again();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal).on('SIGHUP', onSignal);
  return stopping.signal;
}

const sameSignalMs = 500;
