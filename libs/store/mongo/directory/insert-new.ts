import { AlreadyExists } from '../../errors.ts';
import { isDuplicateKey } from '../write-errors.ts';

/** Waits for an insert. @throws AlreadyExists of `what` when its key is taken; a transaction has ended by then */
export async function insertNew(what: string, insert: Promise<unknown>): Promise<void> {
  try {
    await insert;
  } catch (error) {
    if (isDuplicateKey(error)) throw new AlreadyExists(what);
    throw error;
  }
}
