import { AlreadyExists, NotFound, Refused } from './errors.ts';

/** Rotations leave two for each algorithm; more are a mistake that would fill the DNS. */
const maxDkimKeys = 20;

/** @throws Refused, AlreadyExists */
export function checkRoomForDkimKey(selectors: readonly string[], added: string): void {
  if (selectors.includes(added)) throw new AlreadyExists('selector');
  if (selectors.length >= maxDkimKeys) {
    throw new Refused('tooManyDkimKeys', `a domain has at most ${maxDkimKeys} DKIM keys`);
  }
}

export const noSuchDkimKey = (): NotFound => new NotFound('DKIM key');

/** @throws NotFound, Refused */
export function checkDkimKeyRemovable(state: string | undefined): void {
  if (state === undefined) throw noSuchDkimKey();
  if (state === 'active') throw new Refused('dkimKeyActive', 'the key signs: retire it first, or rotate');
}
