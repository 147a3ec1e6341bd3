/** Collections or indexes that this release needs aren't there, and this process doesn't make them, or may not. */
export class SchemaNotReady extends Error {
  override readonly name = 'SchemaNotReady';
  readonly remedy: string;
  constructor(problem: string, remedy: string, options?: ErrorOptions) {
    super(`${problem}: ${remedy}`, options);
    this.remedy = remedy;
  }
}

/** The database was written by a release that is more than one ahead of this one. */
export class SchemaTooNew extends Error {
  override readonly name = 'SchemaTooNew';
  readonly remedy = 'start the release that made it, or one before that';
  constructor(found: number, readable: number) {
    super(
      `the database has schema ${found}, this release reads up to ${readable}: start the release that made it, or the one before that`,
    );
  }
}
