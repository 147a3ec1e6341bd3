/** A field of a header section, its value unfolded (RFC 5322 §2.2.3). */
export interface HeaderField {
  /** Lower case. */
  name: string;
  value: string;
}

/** How many Received fields the section has: one for each server that the message has been through (RFC 5321 §6.3). */
export function countReceived(header: Buffer): number {
  return header.toString('latin1').match(/(?:^|\n)received[ \t]*:/gi)?.length ?? 0;
}

/** The fields of the section, in order; lines that are no field are passed over. */
export function headerFields(header: Buffer): HeaderField[] {
  const fields: HeaderField[] = [];
  for (const line of header
    .toString('utf8')
    .replace(/\r\n(?=[ \t])/g, '')
    .split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0)
      fields.push({ name: line.slice(0, colon).trimEnd().toLowerCase(), value: line.slice(colon + 1).trim() });
  }
  return fields;
}
