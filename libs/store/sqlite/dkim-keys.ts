import type { DkimKeys } from '../ports/dkim-keys.ts';
import type { Engine } from './engine/engine.ts';

export function sqliteDkimKeys(engine: Engine): DkimKeys {
  return {
    list: (domain) => engine.read('dkimKeys.list', { domain }),
    add: (key) => engine.write('dkimKeys.add', key),
    setState: (change) => engine.write('dkimKeys.setState', change),
    remove: (domain, selector) => engine.write('dkimKeys.remove', { domain, selector }),
    active: (domains) => engine.read('dkimKeys.active', { domains }),
    due: (now, limit) => engine.read('dkimKeys.due', { now, limit }),
  };
}
