import { pino } from 'pino';
import type { DestinationStream, Logger } from 'pino';
import type { LogLevel } from './log-levels.ts';

export type { Logger } from 'pino';

/**
 * JSON lines on stderr (stdout is for people), one object each: `level` as a word, `time` in RFC 3339, `service`, `msg`, and what the line is about
 * (`messageId` on each line about a message: the callers put it there). Never a password and never a body: the redaction below is the last net.
 */
export function createLogger(options: { level: LogLevel; service?: string; destination?: DestinationStream }): Logger {
  return pino(
    {
      level: options.level,
      base: options.service === undefined ? {} : { service: options.service },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: redactedPaths, censor: '[redacted]' },
    },
    // Synchronous: a line written just before the process dies is there.
    options.destination ?? pino.destination({ fd: 2, sync: true }),
  );
}

const secretNames = ['password', 'passwordHash', 'secret', 'token', 'authorization', 'cookie', 'credentials', 'hash'];

/** At the top and one level below, and in the headers of a request. */
const redactedPaths = [
  ...secretNames.flatMap((name) => [name, `*.${name}`]),
  'headers.authorization',
  '*.headers.authorization',
];
