/**
 * Grows by one when the documents of a release can't be read by the release before the last. A changed index is one of another name, and needs no new
 * version. docs/decisions/mongodb-schema.md has the rules.
 */
export const schemaVersion = 1;

/** A release reads what the next one writes (v + 1), and no more than that. */
export const newestReadable = schemaVersion + 1;
