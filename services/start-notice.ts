import type { ListenAddress } from '../libs/config/forms.ts';
import type { Config } from '../libs/config/load.ts';
import { connectHost, formatAddress } from '../libs/runtime/listen.ts';
import type { Addresses, Waypost } from './all.ts';
import type { FirstAccount } from './auth/first-accounts.ts';

/** What is printed once the process is ready: where things are; at the first start also the accounts with their passwords and three commands to try. */
export function describeStart(config: Config, waypost: Pick<Waypost, 'addresses' | 'firstAccounts' | 'tls'>): string {
  const places = ['', 'Waypost is running.', '', ...whereThingsAre(config, waypost.addresses), ''];
  if (waypost.firstAccounts.length === 0) return `${places.join('\n')}\n`;
  return [...places, ...accounts(waypost.firstAccounts), '', ...commands(config, waypost), ''].join('\n');
}

function whereThingsAre(config: Config, addresses: Addresses): string[] {
  const { http, ops, mx, submission, submissions, lmtp } = addresses;
  const lines: [string, string | undefined][] = [
    ['HTTP API', http && `http://${formatAddress(http)}  (to browse it: http://${formatAddress(http)}/api/docs)`],
    ['SMTP in', mx && formatAddress(mx)],
    ['Submission', submission && `${formatAddress(submission)}  (STARTTLS)`],
    ['Submission', submissions && `${formatAddress(submissions)}  (TLS)`],
    ['LMTP', lmtp && formatAddress(lmtp)],
    ['Operations', ops && `http://${formatAddress(ops)}/metrics, /livez, /readyz`],
    ['Data', config.mongodbUrl === undefined ? config.dataDir : undefined],
  ];
  return lines.flatMap(([name, place]) => (place === undefined ? [] : [`  ${name.padEnd(12)}${place}`]));
}

function accounts(made: readonly FirstAccount[]): string[] {
  const width = Math.max(...made.map(({ address }) => address.length)) + 2;
  const lines = made.map(({ address, password, given, admin }) => {
    const shown = given ? '(the password that the configuration gives)' : password;
    return `  ${address.padEnd(width)}${shown}${admin ? '  administrator' : ''}`;
  });
  return [
    'This is the first start. It has made these accounts; their passwords are shown only this once:',
    '',
    ...lines,
  ];
}

function commands(
  config: Config,
  { addresses, firstAccounts, tls }: Pick<Waypost, 'addresses' | 'firstAccounts' | 'tls'>,
): string[] {
  const [sender, recipient] = senderAndRecipient(firstAccounts);
  const { http } = addresses;
  if (sender === undefined || recipient === undefined || http === undefined) return [];
  const send = sendCommand(config, addresses, tls, sender, recipient);
  const messages = `http://${formatAddress(http)}/api/v1/accounts/me/messages`;
  const curl = `curl --silent --show-error --user ${quote(credentials(recipient))}`;
  // The list begins with the id of its newest message.
  const newest = `$(${curl} ${quote(`${messages}?mailbox=inbox&limit=1`)} | sed 's/^{"items":\\[{"id":"\\([^"]*\\)".*/\\1/')`;
  return [
    'To try it, paste these: send a mail (and give its delivery two seconds), list the mailbox, read the newest message.',
    '',
    ...(send === undefined ? [] : [send, '']),
    `${curl} ${quote(`${messages}?mailbox=inbox`)}`,
    '',
    `${curl} "${messages}/${newest}"`,
  ];
}

/** The samples, or the administrator to itself. */
function senderAndRecipient(
  made: readonly FirstAccount[],
): readonly [FirstAccount | undefined, FirstAccount | undefined] {
  const samples = made.filter(({ admin }) => !admin);
  return [samples[0] ?? made[0], samples[1] ?? samples[0] ?? made[0]];
}

function sendCommand(
  config: Config,
  addresses: Addresses,
  tls: Waypost['tls'],
  sender: FirstAccount,
  recipient: FirstAccount,
): string | undefined {
  const mail = `From: ${sender.address}\\nTo: ${recipient.address}\\nSubject: Hello\\n\\nIt works.\\n`;
  const envelope = `--mail-from ${quote(sender.address)} --mail-rcpt ${quote(recipient.address)}`;
  const server =
    submissionServer(config, addresses, tls, sender) ??
    (addresses.mx && quote(`smtp://${formatAddress(addresses.mx)}`));
  if (server === undefined) return undefined;
  return `printf ${quote(mail)} | curl --silent --show-error --crlf ${envelope} --upload-file - ${server} && sleep 2`;
}

function submissionServer(
  config: Config,
  addresses: Addresses,
  tls: Waypost['tls'],
  sender: FirstAccount,
): string | undefined {
  const { submission, submissions } = addresses;
  const scheme = submission === undefined ? 'smtps' : 'smtp';
  const address = submission ?? submissions;
  if (address === undefined) return undefined;
  const login = `--ssl-reqd --user ${quote(credentials(sender))}`;
  return `${login} ${tls?.selfSigned === true ? `--cacert ${quote(tls.certFile)}` : ''} ${reach(config, address)} ${quote(`${scheme}://${config.hostname}:${address.port}`)}`.replace(
    / {2,}/g,
    ' ',
  );
}

/** The certificate is for our host name, which the machine's DNS needn't know. */
function reach(config: Config, address: ListenAddress): string {
  return `--connect-to ${quote(`${config.hostname}:${address.port}:${connectHost(address.host)}:${address.port}`)}`;
}

/** Without the password curl asks for it. */
function credentials({ address, password, given }: FirstAccount): string {
  return given ? address : `${address}:${password}`;
}

/** One word for a POSIX shell. */
function quote(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replace(/'/g, `'\\''`)}'`;
}
