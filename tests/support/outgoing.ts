import assert from 'node:assert/strict';
import { type ApiClient, apiClient } from './api-client.ts';
import { projectRoot, runCommand } from './run-command.ts';
import { implicitTls, plainLogin } from './smtp-tls.ts';
import type { System } from './system.ts';
import { until } from './until.ts';

/** A delivery as the queue's API lists it. */
export interface Delivery {
  id: string;
  recipient: string;
  destination: string;
  state: string;
  attempts: number;
  lastReply: string | null;
}

export interface Sender {
  address: string;
  password: string;
}

/** What the tests of outgoing mail do with a system: send, look, and steer as its operator. */
export function outgoing(system: System) {
  const admin: ApiClient = apiClient(system.api, system.admin);
  const rowsOf = async (recipient: string): Promise<Delivery[]> =>
    (await admin.get(`/api/v1/queue/deliveries?recipient=${encodeURIComponent(recipient)}`)).items;

  return {
    admin,
    rowsOf,

    /** By submission with TLS and AUTH, all recipients taken. */
    async submit(sender: Sender, to: readonly string[], message: string): Promise<void> {
      const client = await implicitTls(system.ports.submissions);
      assert.equal((await client.command(`AUTH PLAIN ${plainLogin(sender.address, sender.password)}`)).code, 235);
      const { rcpt, final } = await client.send(sender.address, to, message);
      for (const reply of rcpt) assert.equal(reply.code, 250, reply.text);
      assert.equal(final.code, 250, final.text);
      await client.quit();
    },

    /** The only delivery to the recipient, when it is in the state. */
    async settled(recipient: string, state: string, timeoutMs = 10_000): Promise<Delivery> {
      let rows: Delivery[] = [];
      await until(`the mail of ${recipient} is ${state}`, timeoutMs, async () => {
        rows = await rowsOf(recipient);
        return rows[0]?.state === state;
      });
      assert.equal(rows.length, 1);
      return rows[0]!;
    },

    /** `waypost …` as the administrator; it must end with 0. Answers what it printed. */
    async waypost(...args: readonly string[]): Promise<string> {
      const as = ['--user', system.admin.address, '--password', system.admin.password];
      const env = { WAYPOST_API_URL: system.api };
      const { code, stdout, stderr } = await runCommand(process.execPath, ['bin/waypost.js', ...args, ...as], {
        cwd: projectRoot,
        env,
      });
      assert.equal(code, 0, `waypost ${args.join(' ')}: ${stderr}${stdout}`);
      return stdout;
    },
  };
}

export const textMessage = (from: string, subject: string, body = 'text\r\n'): string =>
  `From: <${from}>\r\nTo: undisclosed:;\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\nSubject: ${subject}\r\nMessage-ID: <${encodeURIComponent(subject)}@client.test>\r\n\r\n${body}`;
