/** Set-up can't go on; the message says what to do. */
export class SetupError extends Error {
  /**
   * @param {string} message
   * @param {unknown} [cause]
   */
  constructor(message, cause) {
    super(message, { cause });
    this.name = 'SetupError';
  }
}
