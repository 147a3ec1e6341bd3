import { parentPort, workerData } from 'node:worker_threads';
import { toSevenBit } from '../../../libs/mail/convert/to-seven-bit.ts';

// One message, one answer.
if (workerData instanceof Uint8Array) parentPort?.postMessage(toSevenBit(Buffer.from(workerData.buffer)));
