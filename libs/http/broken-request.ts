import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type Problem, problem, problemBody } from './problem.ts';

/** What Node's parser refuses never becomes a request: the answer is written by hand. */
export function replyToBrokenRequest(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const body = problemBody(brokenRequest(error.code));
  const text = JSON.stringify(body);
  const status = Number(body['status']);
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\ncontent-type: application/problem+json\r\n` +
      `content-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`,
  );
}

function brokenRequest(code: string | undefined): Problem {
  if (code === 'HPE_HEADER_OVERFLOW') return problem('headersTooLarge');
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return problem('requestTimeout');
  return problem('malformedRequest');
}
