/**
 * What the sink says at one point: a reply (without its last CRLF; lines of it are joined by CRLF), the very bytes, nothing for ever, or the end of the connection.
 */
export type Answer =
  | string
  | { reply: string; delayMs?: number; thenClose?: boolean }
  | { bytes: string | Buffer }
  | typeof silence
  | typeof drop;

export const silence = { silence: true } as const;
export const drop = { drop: true } as const;

/** Where in a dialogue the sink is. */
export interface Moment {
  /** From 1, over the sink's life. */
  connection: number;
  /** Of MAIL on this connection, from 1. */
  transaction: number;
  /** The command line; '' for the greeting and the final reply. */
  line: string;
  /** Of RCPT; of the final reply of LMTP. */
  recipient: string;
  secure: boolean;
}

/** Undefined: what a good server would say. */
export type Scripted = Answer | ((moment: Moment) => Answer | undefined);

/** What differs from a good server; it may be changed while the sink runs. */
export interface SinkScript {
  protocol?: 'smtp' | 'lmtp';
  greeting?: Scripted;
  ehlo?: Scripted;
  helo?: Scripted;
  startTls?: Scripted;
  auth?: Scripted;
  mail?: Scripted;
  rcpt?: Scripted;
  data?: Scripted;
  /** After the final dot; for each recipient that was taken in LMTP. */
  final?: Scripted;
  rset?: Scripted;
  quit?: Scripted;
  /** Lines of the EHLO reply; STARTTLS and AUTH are added where they are set up. */
  extensions?: readonly string[];
  tls?: {
    mode: 'starttls' | 'implicit';
    cert: string;
    key: string;
    minVersion?: 'TLSv1.2' | 'TLSv1.3';
    maxVersion?: 'TLSv1.2';
  };
  /** Instead of the TLS handshake. */
  handshake?: 'garbage' | 'close' | 'silence';
  login?: { user: string; password: string };
  /** Before each reply. */
  delayMs?: number;
  /** A connection is cut when so many octets have come over it, whatever they are. */
  dropAfterBytes?: number;
  /** Said as soon as so many octets of a message have come. */
  early?: { afterBytes: number; answer: Answer };
  /** Reads nothing of a message until then. */
  readAfter?: Promise<void>;
  /** False: messages are counted, not kept. */
  keep?: boolean;
}

export const goodExtensions = ['PIPELINING', '8BITMIME', 'SMTPUTF8', 'SIZE 52428800', 'DSN', 'ENHANCEDSTATUSCODES'];
