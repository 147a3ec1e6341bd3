/** What `waypost doctor --verify` has found. */
export interface VerifyReport {
  /** Bodies whose bytes were read and compared. */
  bodies: number;
  accounts: number;
  /** What is wrong, a line each; empty when all is well. */
  faults: readonly string[];
}
