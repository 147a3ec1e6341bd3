/**
 * A mistake in settings or on the server that waiting doesn't mend. Fatal when it is seen at the start; later it is logged and tried again.
 * The message says what to do, and holds no secret.
 */
export class BusMisconfigured extends Error {
  override readonly name = 'BusMisconfigured';
  readonly kind: MisconfiguredKind;
  constructor(kind: MisconfiguredKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

export type MisconfiguredKind = 'credentials' | 'tls' | 'address' | 'tooOld' | 'noJetStream' | 'stream';

/** The server can't be reached now; the bus goes on trying. */
export class ServerUnreachable extends Error {
  override readonly name = 'ServerUnreachable';
}
