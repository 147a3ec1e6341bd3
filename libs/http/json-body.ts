import { isUtf8 } from 'node:buffer';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ByteHold } from '../runtime/held-bytes.ts';
import { needRoom } from './http-bytes.ts';
import { checkJsonShape } from './json-shape.ts';
import { type Problem, problem } from './problem.ts';

/**
 * Reads and parses the body of a request, counted in `hold` as it arrives; undefined without one. Throws the problems `bodyTooLarge`, `unsupportedMediaType`,
 * `malformedJson`, `overloaded` and `tooManyRequests`. To be called when the caller is known: until then no byte of a body is taken.
 */
export async function readJsonBody(
  request: IncomingMessage,
  response: ServerResponse,
  { limitBytes, hold }: { limitBytes: number; hold: ByteHold },
): Promise<unknown> {
  const { headers } = request;
  if (headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0) return undefined;
  const encoding = headers['content-encoding']?.toLowerCase() ?? 'identity';
  // Compressed bodies are refused: no client needs them, and they turn a few bytes into many.
  if (!isJson(headers['content-type']) || encoding !== 'identity') throw problem('unsupportedMediaType');
  const announced = Number(headers['content-length'] ?? 0);
  if (announced > limitBytes) throw tooLarge(limitBytes);
  needRoom(hold.room(announced));
  if (headers.expect !== undefined) response.writeContinue();
  return parse(await gather(request, limitBytes, hold));
}

/** RFC 8259 §8.1: JSON is UTF-8. */
function isJson(contentType = ''): boolean {
  const [type = '', ...parameters] = contentType.toLowerCase().split(';');
  if (!/^application\/(?:[a-z0-9.-]+\+)?json$/.test(type.trim())) return false;
  return parameters.every((parameter) => !/^\s*charset\s*=/.test(parameter) || /=\s*"?utf-?8"?\s*$/.test(parameter));
}

function tooLarge(limitBytes: number): Problem {
  return problem('bodyTooLarge', `at most ${limitBytes} bytes`);
}

/** What comes after a refusal is thrown away as it comes, so that the client reads the answer. */
function gather(request: IncomingMessage, limitBytes: number, hold: ByteHold): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const take = (chunk: Buffer): void => {
      size += chunk.length;
      try {
        if (size > limitBytes) throw tooLarge(limitBytes);
        needRoom(hold.grow(chunk.length));
        chunks.push(chunk);
      } catch (error) {
        stop();
        request.resume();
        reject(error);
      }
    };
    const end = (): void => {
      stop();
      resolve(Buffer.concat(chunks, size));
    };
    const cut = (): void => {
      stop();
      reject(problem('malformedJson', 'the body ended early'));
    };
    const stop = (): void => {
      request.off('data', take).off('end', end).off('close', cut);
    };
    request.on('data', take).once('end', end).once('close', cut);
  });
}

function parse(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) throw problem('malformedJson', 'it is not UTF-8');
  checkJsonShape(bytes);
  try {
    // RFC 8259 §8.1: a byte order mark may be ignored.
    return JSON.parse(bytes.toString('utf8').replace(/^\uFEFF/, ''));
  } catch {
    throw problem('malformedJson');
  }
}
