import type { Partitions } from '../ports/partitions.ts';
import type { Engine } from './engine/engine.ts';

/** Who owns which partition, in SQLite. */
export function sqlitePartitions(engine: Engine): Partitions {
  return {
    acquire: (request) => engine.write('partitions.acquire', request),
    renew: (request) => engine.write('partitions.renew', request),
    release: (request) => engine.write('partitions.release', request),
    list: () => engine.read('partitions.list', undefined),
    announce: (request) => engine.write('partitions.announce', request),
  };
}
