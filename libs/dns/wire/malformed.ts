/** Octets that are no DNS message by RFC 1035. */
export class MalformedDnsMessage extends Error {
  constructor(what: string) {
    super(`malformed DNS message: ${what}`);
    this.name = 'MalformedDnsMessage';
  }
}
