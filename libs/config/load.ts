import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { z } from 'zod';
import { InvalidConfig } from './invalid-config.ts';
import type { ConfigProblem } from './invalid-config.ts';
import { nearest } from './nearest.ts';
import { contradictions } from './rules.ts';
import { allSettings, configSchema } from './settings.ts';
import type { Setting } from './settings.ts';

/** The settings as read, checked and frozen. Times in ms, sizes in bytes; `undefined` where nothing was given and there is no default. */
export interface Config extends Readonly<z.output<typeof configSchema>> {
  readonly hostname: string;
  readonly sampleAccounts: boolean;
}

/** Settings as given, before the defaults that follow from others. */
export type GivenConfig = Readonly<z.output<typeof configSchema>>;

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Reads the configuration from an environment. All problems are reported at once, in one {@link InvalidConfig}, without any secret value.
 * An empty value is the same as none. Names that begin with WAYPOST_TEST_ are ignored.
 */
export function loadConfig(env: Env): Config {
  const problems: ConfigProblem[] = unknownNames(env);
  const texts: Record<string, string> = {};
  for (const setting of allSettings()) {
    const text = readText(env, setting, problems);
    if (text !== undefined) texts[setting.field] = text;
  }
  const parsed = configSchema.safeParse(texts);
  if (!parsed.success) problems.push(...parsed.error.issues.map((issue) => describeIssue(issue, texts)));
  else problems.push(...contradictions(parsed.data));
  if (!parsed.success || problems.length > 0) throw new InvalidConfig(problems);
  return deepFreeze(withDerived(parsed.data));
}

function withDerived(given: GivenConfig): Config {
  return {
    ...given,
    dataDir: resolve(given.dataDir),
    hostname: given.hostname ?? `mail.${given.domain}`,
    retryScheduleMs:
      given.firstRetryMs === undefined ? given.retryScheduleMs : [given.firstRetryMs, ...given.retryScheduleMs],
    sampleAccounts: given.sampleAccounts ?? !given.production,
  };
}

function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) if (typeof part === 'object' && part !== null) deepFreeze(part);
  return Object.freeze(value);
}

function unknownNames(env: Env): ConfigProblem[] {
  const known = allSettings().flatMap((setting) =>
    setting.secret ? [setting.name, `${setting.name}_FILE`] : [setting.name],
  );
  const problems: ConfigProblem[] = [];
  for (const name of Object.keys(env)) {
    if (!name.startsWith('WAYPOST_') || name.startsWith('WAYPOST_TEST_') || known.includes(name)) continue;
    const near = nearest(name, known);
    problems.push({
      name,
      wrong: 'there is no such setting',
      expected: near === undefined ? 'a name from docs/configuration.md' : `did you mean ${near}?`,
    });
  }
  return problems;
}

/** The value, or of a secret the content of its file (without the last line's end). */
function readText(env: Env, setting: Setting, problems: ConfigProblem[]): string | undefined {
  const value = env[setting.name] === '' ? undefined : env[setting.name];
  const file = setting.secret ? env[`${setting.name}_FILE`] : undefined;
  if (file === undefined || file === '') return value;
  if (value !== undefined) {
    problems.push({ name: setting.name, wrong: `${setting.name}_FILE is given too`, expected: 'only one of the two' });
    return undefined;
  }
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    problems.push({
      name: `${setting.name}_FILE`,
      wrong: `${file} can't be read (${why})`,
      expected: 'a file that this user may read',
    });
    return undefined;
  }
}

function describeIssue(issue: z.core.$ZodIssue, texts: Readonly<Record<string, string>>): ConfigProblem {
  const field = String(issue.path[0]);
  const setting = allSettings().find((candidate) => candidate.field === field);
  if (setting === undefined) return { name: field, wrong: issue.message, expected: '' };
  const shown = setting.secret ? 'the value (not shown)' : `'${(texts[field] ?? '').slice(0, 100)}'`;
  return { name: setting.name, wrong: `${shown} has the wrong form`, expected: setting.expected };
}
