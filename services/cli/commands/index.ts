import type { Command } from '../command.ts';
import { accountCommands } from './account.ts';
import { aliasCommands } from './alias.ts';
import { destinationCommands } from './destination.ts';
import { dkimCommands } from './dkim.ts';
import { doctorCommands } from './doctor.ts';
import { domainCommands } from './domain.ts';
import { messageCommands } from './message.ts';
import { migrateCommands } from './migrate.ts';
import { queueCommands } from './queue.ts';
import { tokenCommands } from './token.ts';

/** All commands, in the order of the help. A longer name that begins like a shorter one stands first. */
export const commands: readonly Command[] = [
  ...messageCommands,
  ...domainCommands,
  ...dkimCommands,
  ...accountCommands,
  ...aliasCommands,
  ...tokenCommands,
  ...queueCommands,
  ...destinationCommands,
  ...doctorCommands,
  ...migrateCommands,
];
