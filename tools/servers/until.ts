import { setTimeout as wait } from 'node:timers/promises';

/**
 * Asks until the answer is not undefined. An error counts as "not yet"; the last one is the cause when time is up.
 * @param stillPossible is asked each time too; false ends the wait at once
 */
export async function until<T>(
  what: string,
  limitMs: number,
  ask: () => Promise<T | undefined>,
  stillPossible: () => boolean = () => true,
): Promise<T> {
  const deadline = performance.now() + limitMs;
  let cause: unknown;
  while (performance.now() < deadline) {
    if (!stillPossible()) throw new Error(`${what}: it ended before that`, { cause });
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
    } catch (error) {
      cause = error;
    }
    await wait(50);
  }
  const last = cause instanceof Error ? `: ${cause.message}` : '';
  throw new Error(`${what}: not within ${limitMs} ms${last}`, { cause });
}
