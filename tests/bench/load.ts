import { spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * Sends `messages` of `bytes` over `sessions` connections that are reused, with Postfix's smtp-source; shared evenly by the ports; resolves
 * with the seconds until the last reply.
 */
export async function smtpLoad(
  { ports, ...target }: { ports: readonly number[]; to: string; lmtp?: boolean },
  load: { messages: number; sessions: number; bytes: number },
): Promise<number> {
  const share = {
    ...load,
    messages: Math.ceil(load.messages / ports.length),
    sessions: Math.ceil(load.sessions / ports.length),
  };
  return Math.max(...(await Promise.all(ports.map((port) => smtpSource({ ...target, port }, share)))));
}

async function smtpSource(
  target: { port: number; to: string; lmtp?: boolean },
  load: { messages: number; sessions: number; bytes: number },
): Promise<number> {
  const args = [
    '-d',
    '-s',
    `${load.sessions}`,
    '-m',
    `${load.messages}`,
    '-l',
    `${load.bytes}`,
    '-f',
    'load@sender.test',
    '-t',
    target.to,
  ];
  const startedMs = performance.now();
  const child = spawn('smtp-source', [...args, ...(target.lmtp === true ? ['-L'] : []), `127.0.0.1:${target.port}`], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`smtp-source ended with ${code}: is Debian's package postfix installed?`);
  return (performance.now() - startedMs) / 1000;
}
