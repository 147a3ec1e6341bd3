import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../support/free-ports.ts';
import { until } from '../../support/until.ts';

/** Debian's Dovecot as LMTP server with Maildirs of its own. */
export interface Dovecot {
  lmtpPort: number;
  pid: number;
  /** Messages in the inbox of `user`. */
  count(user: string): number;
  stop(): void;
}

export const dovecotInstalled = (): boolean => existsSync('/usr/sbin/dovecot') && existsSync('/usr/lib/dovecot/lmtp');

export async function startDovecot(): Promise<Dovecot> {
  const directory = mkdtempSync(join(tmpdir(), 'waypost-dovecot-'));
  const [lmtpPort = 0] = await freePorts(1);
  for (const name of ['mail', 'run', 'state']) mkdirSync(join(directory, name));
  execFileSync('chmod', ['-R', '777', directory]);
  const config = join(directory, 'dovecot.conf');
  writeFileSync(config, configuration(directory, lmtpPort));
  execFileSync('dovecot', ['-c', config], { stdio: 'inherit' });
  const pidFile = join(directory, 'run/master.pid');
  await until('Dovecot is up', 20_000, () => existsSync(pidFile));
  const pid = Number(readFileSync(pidFile, 'utf8'));
  return {
    lmtpPort,
    pid,
    count: (user) => {
      const inbox = join(directory, 'mail', user, 'new');
      return existsSync(inbox) ? readdirSync(inbox).length : 0;
    },
    stop() {
      execFileSync('doveadm', ['-c', config, 'stop'], { stdio: 'ignore' });
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function configuration(directory: string, lmtpPort: number): string {
  return `
protocols = lmtp
base_dir = ${directory}/run
state_dir = ${directory}/state
log_path = ${directory}/log
ssl = no
mail_location = maildir:${directory}/mail/%n
mail_uid = mail
mail_gid = mail
first_valid_uid = 1
passdb {
  driver = static
  args = nopassword=y
}
userdb {
  driver = static
  args = uid=mail gid=mail home=${directory}/mail/%n allow_all_users=yes
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = ${lmtpPort}
  }
  process_limit = 40
}
service stats {
  unix_listener stats-writer {
    mode = 0666
  }
}
`;
}
