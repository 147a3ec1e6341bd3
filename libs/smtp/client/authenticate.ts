import { isLoopbackHost } from '../../runtime/loopback.ts';
import type { Capabilities } from './capabilities.ts';
import { AuthFailed } from './failures.ts';
import type { ServerReply } from './reply-parser.ts';
import type { Wire } from './wire.ts';

export interface Login {
  user: string;
  password: string;
}

/**
 * Logs in with PLAIN or LOGIN (RFC 4954, 4616). Only over TLS, unless the server is on this machine. Rejects with {@link AuthFailed}; the password is in no error.
 */
export async function authenticate(
  wire: Wire,
  login: Login,
  connection: { encrypted: boolean; address: string; capabilities: Capabilities; limitMs: number },
): Promise<void> {
  if (!connection.encrypted && !isLoopbackHost(connection.address))
    throw new AuthFailed('the connection is not encrypted');
  const { auth } = connection.capabilities;
  const mechanism = auth.includes('PLAIN') ? plain : auth.includes('LOGIN') ? loginMechanism : undefined;
  if (!mechanism)
    throw new AuthFailed(
      auth.length === 0 ? 'the server offers no AUTH' : `no mechanism that we know: ${auth.slice(0, 10).join(' ')}`,
    );
  const step = async (line: string): Promise<ServerReply> => {
    wire.send(`${line}\r\n`);
    return wire.reply('auth', connection.limitMs);
  };
  const reply = await mechanism(step, login);
  if (reply.code !== 235) throw new AuthFailed(`${reply.code} ${reply.text}`, reply);
}

type Step = (line: string) => Promise<ServerReply>;

const plain = (step: Step, { user, password }: Login): Promise<ServerReply> =>
  step(`AUTH PLAIN ${base64(`\0${user}\0${password}`)}`);

/** Never a standard; many servers have no other. */
async function loginMechanism(step: Step, { user, password }: Login): Promise<ServerReply> {
  const asked = await step('AUTH LOGIN');
  if (asked.code !== 334) return asked;
  const askedAgain = await step(base64(user));
  return askedAgain.code === 334 ? step(base64(password)) : askedAgain;
}

const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');
