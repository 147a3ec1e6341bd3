/**
 * The store's clock, ms: what leases expire by. The machine's monotonic clock is the same in all threads and no adjustment of the wall clock moves it;
 * it starts again at a boot, but then every lease was voided when the store was opened.
 */
export const storeNowMs = (): number => Number(process.hrtime.bigint() / 1_000_000n);
