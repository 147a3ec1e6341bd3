import type { ParseArgsOptionsConfig } from 'node:util';
import type { ApiCaller } from './api-caller.ts';

/** One command of the command line, as data: help, options and what it does. */
export interface Command {
  /** Words as they are typed, e.g. `account add`. */
  name: string;
  /** What follows the name, e.g. `ADDRESS [--password-file FILE]`. */
  usage: string;
  summary: string;
  options?: ParseArgsOptionsConfig;
  run(context: CommandContext): Promise<void>;
}

export interface CommandContext {
  /** Words after the name. */
  words: readonly string[];
  option(name: string): string | undefined;
  /** All values of an option that may be repeated. */
  options(name: string): readonly string[];
  flag(name: string): boolean;
  /** The HTTP API with the caller's credentials; made at its first use. */
  api: () => ApiCaller;
  output: Output;
}

/** Tables for people, JSON for programs (`--json`). */
export interface Output {
  readonly json: boolean;
  rows(rows: readonly Readonly<Record<string, unknown>>[], columns: readonly string[]): void;
  /** A single thing. */
  record(record: Readonly<Record<string, unknown>>): void;
  /** What was done; nothing with --json. */
  say(line: string): void;
}

/** The command line was used wrongly: exit code 2, with the usage. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** The word at `position`, or a UsageError that names it. */
export function word(context: CommandContext, position: number, what: string): string {
  const found = context.words[position];
  if (found === undefined) throw new UsageError(`${what} is missing`);
  return found;
}
