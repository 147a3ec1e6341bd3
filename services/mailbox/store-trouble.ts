import { OutcomeUnknown, StoreBusy, StoreFull, StoreUnavailable } from '../../libs/store/errors.ts';

/** True when the store as a whole has the trouble: what was asked isn't to blame, and is asked again later as it is. */
export function isStoreTrouble(error: unknown): boolean {
  return (
    error instanceof StoreUnavailable ||
    error instanceof StoreBusy ||
    error instanceof StoreFull ||
    error instanceof OutcomeUnknown
  );
}
