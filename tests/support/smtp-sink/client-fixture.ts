import { connectSmtp, type SmtpConnectOptions } from '../../../libs/smtp/client/connect.ts';
import type { OutgoingMessage } from '../../../libs/smtp/client/envelope.ts';
import type { SmtpSession } from '../../../libs/smtp/client/session.ts';
import type { Sink } from './sink.ts';

/** For calls that nobody gives up. */
export const never = new AbortController().signal;

/** A session with the sink; plain text unless the options say otherwise. */
export function openTo(sink: Sink, options: Partial<SmtpConnectOptions> = {}): Promise<SmtpSession> {
  return connectSmtp({
    host: 'mx.sink.test',
    address: sink.host,
    port: sink.port,
    heloName: 'client.test',
    protocol: sink.script.protocol ?? 'smtp',
    tls: { mode: 'never', verify: { kind: 'none' } },
    signal: never,
    ...options,
  });
}

/** A message from a@here.test to b@there.test; its content is `text`. */
export function outgoing(fields: Partial<OutgoingMessage> & { text?: string } = {}): OutgoingMessage {
  const { text = 'Subject: x\r\n\r\nhello\r\n', ...rest } = fields;
  const body = Buffer.from(text);
  return {
    mailFrom: 'a@here.test',
    recipients: [{ address: 'b@there.test' }],
    sizeBytes: body.length,
    body: () => body,
    eightBit: false,
    smtputf8: false,
    ...rest,
  };
}

/** The same for so many recipients, `r0@there.test` and on. */
export const recipients = (count: number): { address: string }[] =>
  Array.from({ length: count }, (_, at) => ({ address: `r${at}@there.test` }));
