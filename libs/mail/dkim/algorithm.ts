/** RFC 6376 §3.3.2 and RFC 8463 §3. */
export const dkimAlgorithms = ['rsa-sha256', 'ed25519-sha256'] as const;
export type DkimAlgorithm = (typeof dkimAlgorithms)[number];

/** `k=` of the DNS record. */
export const keyTypes = { 'rsa-sha256': 'rsa', 'ed25519-sha256': 'ed25519' } as const satisfies Record<
  DkimAlgorithm,
  string
>;
