import { Worker } from 'node:worker_threads';
import { type SevenBitResult, toSevenBit } from '../../../libs/mail/convert/to-seven-bit.ts';
import { deliveryLimits } from '../limits.ts';

/** `toSevenBit` without holding up the event loop: a large message goes to a thread of its own. Rejects when that takes too long, or with the signal's reason. */
export async function convert(message: Buffer, signal: AbortSignal): Promise<SevenBitResult> {
  if (message.length <= deliveryLimits.convertInlineBytes) return toSevenBit(message);
  signal.throwIfAborted();
  const copy = new Uint8Array(message);
  const thread = new Worker(new URL('./convert-thread.ts', import.meta.url), {
    workerData: copy,
    transferList: [copy.buffer],
  });
  const { promise, resolve, reject } = Promise.withResolvers<SevenBitResult>();
  const timer = setTimeout(
    () => reject(new Error('the message could not be made 7-bit in time')),
    deliveryLimits.convertMs,
  );
  const abort = (): void => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  thread
    .once('message', (result: ThreadResult) =>
      resolve(result.ok ? { ok: true, message: asBuffer(result.message) } : result),
    )
    .once('error', reject)
    .once('exit', () => reject(new Error('the thread that makes messages 7-bit has ended')));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
    await thread.terminate();
  }
}

/** A Buffer comes over as a Uint8Array. */
type ThreadResult = Exclude<SevenBitResult, { ok: true }> | { ok: true; message: Uint8Array };

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
