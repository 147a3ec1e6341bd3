import type { ListenAddress } from '../../libs/config/forms.ts';
import { formatAddress } from '../../libs/runtime/listen.ts';
import { describeStart } from '../../services/start-notice.ts';
import type { StartMessage } from '../../services/start-message.ts';
import type { ClusterBackends } from './backends.ts';
import type { ClusterPlan } from './plan.ts';
import { mergedAddresses, type RunningCopy } from './services.ts';

/** The text of `npm start`, and before it what runs where. */
export function describeCluster(
  plan: ClusterPlan,
  backends: ClusterBackends,
  running: readonly RunningCopy[],
  http: ListenAddress | undefined,
): string {
  const { config, folder } = plan;
  const firstAccounts = running.flatMap((each) => each.told()?.firstAccounts ?? []);
  const tls = running.find(({ copy }) => copy.service === 'ingress')?.told()?.tls;
  const start = { addresses: mergedAddresses(running, http), firstAccounts, tls };
  return [
    '',
    'Processes, with their operations address and process id:',
    '',
    ...running.map(({ copy, process, told }) => line(copy.name, told(), process.pid)),
    ...[...backends.processes.mongods, backends.processes.nats].map(({ name, pid }, index) => {
      const port = backends.ports.mongodb[index] ?? backends.ports.nats;
      return `  ${name.padEnd(12)}${`127.0.0.1:${port}`.padEnd(32)}${pid ?? ''}`;
    }),
    '',
    `Their logs are in ${folder}/logs. docs/cluster.md says what can be done with it. Ctrl-C stops all of it.`,
    describeStart({ ...config, dataDir: folder }, start),
  ].join('\n');
}

/** For a start that has failed after it had made the accounts: nobody would see these passwords again. '' when none were made. */
export function describeLostAccounts(running: readonly RunningCopy[]): string {
  const made = running.flatMap((each) => each.told()?.firstAccounts ?? []).filter(({ given }) => !given);
  if (made.length === 0) return '';
  const lines = made.map(({ address, password }) => `  ${address}  ${password}`);
  return ['This start has made accounts; their passwords are shown only this once:', '', ...lines, '', ''].join('\n');
}

function line(name: string, told: StartMessage | undefined, pid: number | undefined): string {
  const ops = told?.addresses.ops;
  const where = ops === undefined ? '' : `http://${formatAddress(ops)}/readyz`;
  // SMTP of further copies is at free ports.
  const { mx, submission } = told?.addresses ?? {};
  const smtp = name.startsWith('ingress-')
    ? [mx, submission].flatMap((each) => (each ? [formatAddress(each)] : []))
    : [];
  const more = smtp.length === 0 ? '' : `  SMTP ${smtp.join(', ')}`;
  return `  ${name.padEnd(12)}${where.padEnd(32)}${pid ?? ''}${more}`;
}
