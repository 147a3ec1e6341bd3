import type { ParseArgsOptionsConfig } from 'node:util';
import type { CommandContext } from '../command.ts';

const names = {
  state: 'state',
  destination: 'destination',
  sender: 'sender',
  recipient: 'recipient',
  domain: 'domain',
  error: 'error',
  message: 'messageId',
  'older-than': 'olderThan',
  'newer-than': 'newerThan',
} as const;

/** What deliveries are found by, as options of the command line. */
export const filterOptions: ParseArgsOptionsConfig = Object.fromEntries(
  Object.keys(names).map((name) => [name, { type: 'string' as const }]),
);

export const filterUsage =
  '[--state S] [--sender A] [--recipient A] [--domain D] [--destination D] [--error TEXT] [--message ID] [--older-than 1h] [--newer-than 1h]';

/** By the names of the API; only what was given. */
export function filterOf(context: CommandContext): Record<string, string> {
  return Object.fromEntries(
    Object.entries(names).flatMap(([option, field]) => {
      const value = context.option(option);
      return value === undefined ? [] : [[field, value]];
    }),
  );
}
