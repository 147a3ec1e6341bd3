/**
 * Who owns which partition of the queue. Leases expire by the store's own clock and nothing else does; a holder counts its own lease on a
 * monotonic clock from before the request. Each acquisition raises the partition's epoch, for ever.
 */
export interface Partitions {
  /** Takes those of `partitions` that are free or whose lease has ended; returns only what was got. */
  acquire(request: {
    owner: string;
    partitions: readonly number[];
    leaseMs: number;
  }): Promise<readonly PartitionLease[]>;
  /** Renews; what isn't in the answer is lost (another has taken it, or it has ended and was taken). */
  renew(request: {
    owner: string;
    leases: readonly PartitionLease[];
    leaseMs: number;
  }): Promise<readonly PartitionLease[]>;
  /** Gives back at once, so that a takeover needs no wait. Only what is still ours by epoch. */
  release(request: { owner: string; leases: readonly PartitionLease[] }): Promise<void>;
  /** All 256, with `remainingMs` by the store's clock (0 or less: free). */
  list(): Promise<readonly { partition: number; owner: string | null; epoch: number; remainingMs: number }[]>;
  /** Says that `owner` lives and wants a share, until `leaseMs` from now by the store's clock; answers all that live. */
  announce(request: { owner: string; leaseMs: number }): Promise<readonly string[]>;
}

export interface PartitionLease {
  partition: number;
  epoch: number;
}
