import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Config, loadConfig } from '../../libs/config/load.ts';
import { apiCaller, ApiProblem, ApiUnreachable } from './api-caller.ts';
import { type Command, type CommandContext, UsageError } from './command.ts';
import { commands } from './commands/index.ts';
import { createOutput } from './output.ts';

/** `waypost …`: exit code 0 done, 1 refused or failed (why is on stderr), 2 used wrongly. */
async function main(argv: readonly string[]): Promise<number> {
  if (argv[0] === 'start') {
    await import('../main.ts');
    return 0;
  }
  if (argv.length === 0 || argv[0] === 'help' || argv[0] === '--help' || argv[0] === '-h') {
    console.log(help());
    return argv.length === 0 ? 2 : 0;
  }
  const command = commands.find(({ name }) => name.split(' ').every((part, i) => argv[i] === part));
  if (command === undefined) {
    console.error(`waypost: there is no command "${argv.slice(0, 2).join(' ')}"\n\n${help()}`);
    return 2;
  }
  if (argv.includes('--help') || argv.includes('-h')) {
    console.log(usageOf(command));
    return 0;
  }
  return run(command, argv.slice(command.name.split(' ').length));
}

async function run(command: Command, argv: readonly string[]): Promise<number> {
  try {
    await command.run(contextOf(command, argv));
    return 0;
  } catch (error) {
    if (error instanceof ApiProblem) {
      console.error(argv.includes('--json') ? JSON.stringify(error.problem, null, 2) : `waypost: ${error.message}`);
      return 1;
    }
    if (error instanceof UsageError || isArgumentError(error)) {
      console.error(`waypost: ${error.message}\n\n${usageOf(command)}`);
      return 2;
    }
    if (error instanceof ApiUnreachable || error instanceof Error) {
      console.error(`waypost: ${error.message}`);
      return 1;
    }
    throw error;
  }
}

const globalOptions = {
  api: { type: 'string' },
  token: { type: 'string' },
  user: { type: 'string' },
  password: { type: 'string' },
  'password-file': { type: 'string' },
  json: { type: 'boolean' },
} as const;

function contextOf(command: Command, argv: readonly string[]): CommandContext {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: { ...globalOptions, ...command.options },
  });
  const all: Readonly<Record<string, unknown>> = { ...values };
  const text = (name: string): string | undefined => {
    const value = all[name];
    return typeof value === 'string' ? value : undefined;
  };
  return {
    words: positionals,
    option: text,
    options: (name) => {
      const value = all[name];
      return Array.isArray(value) ? value.map(String) : [];
    },
    flag: (name) => all[name] === true,
    api: () =>
      apiCaller({
        url: text('api') ?? apiSettings().apiUrl,
        authorization: authorizationOf(text),
      }),
    output: createOutput(all['json'] === true, (line) => console.log(line)),
  };
}

function authorizationOf(option: (name: string) => string | undefined): string | undefined {
  const user = option('user');
  if (user !== undefined) {
    const file = option('password-file');
    const password =
      option('password') ?? (file === undefined ? undefined : readFileSync(file, 'utf8').replace(/\r?\n$/, ''));
    if (password === undefined) throw new UsageError('--user needs --password or --password-file');
    return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
  }
  const token = option('token') ?? apiSettings().apiToken;
  return token === undefined ? undefined : `Bearer ${token}`;
}

/** Only its own settings: those of a server that is started from the same environment are not its business. */
function apiSettings(): Pick<Config, 'apiUrl' | 'apiToken'> {
  const names = ['WAYPOST_API_URL', 'WAYPOST_API_TOKEN', 'WAYPOST_API_TOKEN_FILE'];
  return loadConfig(Object.fromEntries(names.map((name) => [name, process.env[name]])));
}

/** Errors of node:util parseArgs: an unknown option, a value that is missing. */
function isArgumentError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
}

const usageOf = ({ name, usage, summary }: Command): string => `waypost ${name} ${usage}\n  ${summary}`;

function help(): string {
  const lines = commands.map(({ name, usage, summary }) => `  waypost ${`${name} ${usage}`.trim()}\n      ${summary}`);
  return `Usage:
  waypost start [service …]
      start all services, or those named: ingress queue delivery mailbox auth
${lines.join('\n')}

For all commands that use the HTTP API:
  --api URL (or WAYPOST_API_URL)   default http://127.0.0.1:8080
  --user ADDRESS with --password TEXT or --password-file FILE, or --token TOKEN (or WAYPOST_API_TOKEN)
  --json                           answers for programs`;
}

process.exitCode = await main(process.argv.slice(2));
