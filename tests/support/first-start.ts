/** Addresses and passwords that the first start has printed. */
export function printedAccounts(print: string): Map<string, string> {
  const lines = print.matchAll(/^ {2}(\S+@example\.test) {2,}(\S+)/gm);
  return new Map([...lines].map(([, address, password]) => [address!, password!]));
}

/** The paragraphs after the line that says to paste them. */
export function printedCommands(print: string): string[] {
  const from = print.indexOf('To try it, paste these');
  return print
    .slice(from)
    .split('\n\n')
    .slice(1)
    .map((paragraph) => paragraph.trim())
    .filter((paragraph) => paragraph !== '');
}
