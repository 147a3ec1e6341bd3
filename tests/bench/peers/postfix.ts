import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../support/free-ports.ts';
import { until } from '../../support/until.ts';

/** Debian's Postfix with a configuration and a queue of its own. */
export interface Postfix {
  port: number;
  pid: number;
  stop(): Promise<void>;
}

export const postfixInstalled = (): boolean => existsSync('/usr/sbin/postfix');

/** `deliverTo` undefined: everything accepted goes to the hold queue; else to that LMTP server (`inet:host:port`). Listens on a free port, or the one given. */
export async function startPostfix(deliverTo: string | undefined, givenPort?: number): Promise<Postfix> {
  const directory = mkdtempSync(join(tmpdir(), 'waypost-postfix-'));
  const port = givenPort ?? (await freePorts(1))[0] ?? 0;
  for (const name of ['etc', 'queue', 'data']) mkdirSync(join(directory, name));
  execFileSync('chmod', ['755', directory]);
  chownSync(join(directory, 'data'), idOf('postfix'), 0);
  writeFileSync(join(directory, 'etc/main.cf'), mainCf(directory, deliverTo));
  writeFileSync(join(directory, 'etc/master.cf'), masterCf(port));
  const etc = join(directory, 'etc');
  execFileSync('postfix', ['-c', etc, 'start'], { stdio: 'ignore' });
  const pidFile = join(directory, 'queue/pid/master.pid');
  await until('Postfix is up', 20_000, () => existsSync(pidFile) && readFileSync(pidFile, 'utf8').trim() !== '');
  return {
    port,
    pid: Number(readFileSync(pidFile, 'utf8')),
    async stop() {
      execFileSync('postfix', ['-c', etc, 'stop'], { stdio: 'ignore' });
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

const idOf = (user: string): number => Number(execFileSync('id', ['-u', user], { encoding: 'utf8' }));

function mainCf(directory: string, deliverTo: string | undefined): string {
  return `
compatibility_level = 3.6
queue_directory = ${directory}/queue
data_directory = ${directory}/data
inet_interfaces = 127.0.0.1
myhostname = mail.example.test
mydestination =
virtual_mailbox_domains = example.test
smtpd_relay_restrictions = permit_mynetworks reject_unauth_destination
${deliverTo === undefined ? 'smtpd_recipient_restrictions = static:hold permit' : `virtual_transport = lmtp:${deliverTo}`}
smtpd_client_connection_count_limit = 0
maillog_file =
`;
}

function masterCf(port: number): string {
  const unix = (name: string, program = name, limit = '-'): string => `${name} unix - - n - ${limit} ${program}`;
  return [
    `127.0.0.1:${port} inet n - n - 200 smtpd`,
    'pickup unix n - n 60 1 pickup',
    'cleanup unix n - n - 0 cleanup',
    'qmgr unix n - n 300 1 qmgr',
    unix('rewrite', 'trivial-rewrite'),
    unix('bounce', 'bounce', '0'),
    unix('defer', 'bounce', '0'),
    unix('trace', 'bounce', '0'),
    'flush unix n - n 1000? 0 flush',
    unix('proxymap'),
    unix('smtp'),
    unix('relay', 'smtp'),
    unix('error'),
    unix('retry', 'error'),
    unix('lmtp'),
    unix('anvil', 'anvil', '1'),
    unix('scache', 'scache', '1'),
    '',
  ].join('\n');
}
