/**
 * RFC 3463 status of a reply for a status field: its enhanced code where that stands behind the basic one and both are of one class, else the general code of the
 * class (`5.0.0`). Codes elsewhere in the text mean nothing. Undefined when it has no code that fits `classes`, such as a success for a failure.
 */
export function enhancedStatus(reply: string | undefined, classes: string): string | undefined {
  const [, digit, enhanced] = /^([245])\d\d(?:[ -]+([245]\.\d{1,3}\.\d{1,3})(?!\S))?/.exec(reply ?? '') ?? [];
  if (digit === undefined || !classes.includes(digit)) return undefined;
  return enhanced?.startsWith(digit) === true ? enhanced : `${digit}.0.0`;
}
