const second = 1000;
const minute = 60 * second;

/** What one client, and all of them together, may take of us. Each limit has its reply; none can be reached by mail that is in order. */
export interface IngressLimits {
  /** Open connections of all listeners; past it 421 in place of the greeting. */
  maxConnections: number;
  /** Of those, from one IPv4 address or one IPv6 /64; loopback, trusted networks and known proxies aren't counted. */
  maxConnectionsPerNetwork: number;
  /** 421 when the client owes us input for so long. RFC 5321 §4.5.3.2.7 asks for at least 5 minutes. */
  idleTimeoutMs: number;
  /** A whole session; past it 421 as soon as no message is under way. */
  sessionTimeoutMs: number;
  /** One DATA phase, so that drops of data don't hold a session for ever: the largest message at a tenth of a megabyte a second, and some more. */
  dataTimeoutMs: number;
  /** How long the client must keep silent before the greeting on the MX (RFC 5321 §3.1); who talks first is no mail server. */
  greetingDelayMs: number;
  /** Octets of a command line. RFC 5321 §4.5.3.1.4 has 512; SIZE, BODY, SMTPUTF8, AUTH= and UTF-8 addresses add to it. */
  maxCommandBytes: number;
  /** Octets of a line of an AUTH exchange (RFC 4954 §4: 12288). */
  maxAuthLineBytes: number;
  /** Octets of a line of the message. RFC 5322 §2.1.1 has 998, which too much honest software passes; none writes lines like this. */
  maxDataLineBytes: number;
  /** Octets of the header section: all of it is looked through before the message is accepted. */
  maxHeaderBytes: number;
  /** Received fields; more is a loop (RFC 5321 §6.3). No honest way has half as many hops. */
  maxReceived: number;
  /** Commands since the last accepted message: room for thousands of refused recipients. */
  maxCommands: number;
  /** Replies that say the client doesn't speak SMTP (500 to 504, 555), in a session. */
  maxBadCommands: number;
  /** Wrong passwords in a session. Those of an account or a network are counted by auth. */
  maxAuthFailures: number;
  /** In one session; then the client opens another, which lets load balancers spread it. */
  maxMessages: number;
  /** Memory for messages under way, of all sessions. Past it 452 to DATA; a message that can't grow goes on in the blob store. */
  maxDataBytes: number;
}

export const defaultLimits: IngressLimits = {
  maxConnections: 5000,
  maxConnectionsPerNetwork: 100,
  idleTimeoutMs: 5 * minute,
  sessionTimeoutMs: 60 * minute,
  dataTimeoutMs: 15 * minute,
  greetingDelayMs: 100,
  maxCommandBytes: 2048,
  maxAuthLineBytes: 12_288,
  maxDataLineBytes: 64 * 1024,
  maxHeaderBytes: 128 * 1024,
  maxReceived: 50,
  maxCommands: 25_000,
  maxBadCommands: 20,
  maxAuthFailures: 5,
  maxMessages: 100_000,
  maxDataBytes: 64 * 1024 * 1024,
};
