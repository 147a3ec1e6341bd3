import type { LoginLimits } from '../ports/credentials.ts';
import type { Engine } from './engine/engine.ts';

export function sqliteLoginLimits(engine: Engine): LoginLimits {
  return {
    failures: async (keys, now) => {
      const rows = await engine.read('loginLimits.failures', { keys, now });
      const byKey = new Map(rows.map((row) => [row.key, row]));
      return keys.map((key) => byKey.get(key) ?? { key, count: 0, resetsAt: now });
    },
    fail: (keys, windowMs, now) => engine.write('loginLimits.fail', { keys, windowMs, now }),
    clear: (keys) => engine.write('loginLimits.clear', { keys }),
    remember: (key, until) => engine.write('loginLimits.remember', { key, until }),
    remembered: (key, now) => engine.read('loginLimits.remembered', { key, now }),
    purge: (now, limit) => engine.write('loginLimits.purge', { now, limit }),
  };
}
