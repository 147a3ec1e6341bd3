/** Closes one part; parts are closed in the reverse order of their start. */
export type Closing = (graceMs: number) => Promise<void>;

/** In the reverse order of their start; the time that one takes is missing to the next. One that fails doesn't keep the others from closing. */
export async function closeAll(opened: Closing[], graceMs: number): Promise<void> {
  const deadlineMs = performance.now() + graceMs;
  const failures: unknown[] = [];
  for (let close = opened.pop(); close !== undefined; close = opened.pop()) {
    await close(Math.max(0, deadlineMs - performance.now())).catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw new AggregateError(failures, 'parts could not be closed');
}

/** What clients are connected to drains side by side, all with the same time. */
export async function closeAtOnce(edge: readonly Closing[], graceMs: number): Promise<void> {
  await Promise.all(edge.map((close) => close(graceMs)));
}
