/** How long each step may take, in ms. */
export interface TimeLimits {
  connect: number;
  greeting: number;
  /** EHLO, HELO, STARTTLS's reply, the handshake, each step of AUTH, RSET. */
  hello: number;
  mail: number;
  rcpt: number;
  data: number;
  /** Until the connection takes more of the message, or its source gives more. */
  dataBlock: number;
  final: number;
  quit: number;
  /** Between transactions; then the session says QUIT by itself. */
  idle: number;
}

/** RFC 5321 §4.5.3.2, where it names one; the others are ours. */
export const defaultTimeLimits: TimeLimits = {
  connect: 30_000,
  greeting: 5 * 60_000,
  hello: 5 * 60_000,
  mail: 5 * 60_000,
  rcpt: 5 * 60_000,
  data: 2 * 60_000,
  dataBlock: 3 * 60_000,
  final: 10 * 60_000,
  quit: 10_000,
  idle: 60_000,
};
