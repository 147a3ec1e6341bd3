import { Gauge, type Registry } from 'prom-client';
import { HeldBytes } from '../runtime/held-bytes.ts';

/** What bodies under way to a blob store over the network may hold together in a process; past it more of them are refused with StoreBusy. */
const capBytes = 128 * 1024 * 1024;

export function uploadMemory(metrics: Registry | undefined): HeldBytes {
  const held = new HeldBytes({ totalBytes: capBytes, perHolderBytes: capBytes });
  if (metrics !== undefined) {
    new Gauge({
      name: 'waypost_blobs_held_bytes',
      help: 'Bytes of bodies that are held on their way to the blob store.',
      registers: [metrics],
      collect() {
        this.set(held.bytes);
      },
    });
  }
  return held;
}
