/** What is kept isn't what was put: its length or its SHA-256 differs. Asking again doesn't help; the copies of a backup do. */
export class BlobDamaged extends Error {
  override readonly name = 'BlobDamaged';
  readonly ref: string;
  constructor(ref: string, what: string) {
    super(`the body ${ref} is damaged: ${what}`);
    this.ref = ref;
  }
}

/** The blob store can't be used as it is configured. `remedy` says what the operator does about it. */
export class UnusableBlobStore extends Error {
  override readonly name = 'UnusableBlobStore';
  readonly remedy: string;
  constructor(problem: string, remedy: string) {
    super(`WAYPOST_BLOBS_URL: ${problem}: ${remedy}`);
    this.remedy = remedy;
  }
}
