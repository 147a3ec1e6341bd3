// `npm run cluster`: MongoDB, NATS and the five services as processes of this machine. docs/cluster.md says what can be done with it.
import { InvalidConfig } from '../libs/config/invalid-config.ts';
import { type ClusterPlan, readPlan, UsageError } from './cluster/plan.ts';
import { StartAbandoned, startCluster } from './cluster/run-cluster.ts';
import { stopSignals } from './cluster/stop-signals.ts';
import { startWatchdog } from './servers/watchdog.ts';

const usage = 'usage: npm run cluster [-- --copies service=number,…]\n';

/** Errors whose message tells people what to do; of others the stack is shown. */
const clearErrors = ['DataDirectoryInUse', 'CannotListen', 'DidNotStart', 'PortTaken', 'ServerNotToBeHad'];

const plan = readPlanOrExit();
if (plan !== undefined) await run(plan);

async function run(chosen: ClusterPlan): Promise<void> {
  const watchdog = startWatchdog();
  const say = (line: string): void => void process.stderr.write(`cluster: ${line}\n`);
  const stopping = stopSignals({
    first: () => say('stopping'),
    again: () => {
      say('ending at once');
      void watchdog.finish().finally(() => process.exit(1));
    },
  });
  try {
    const cluster = await startCluster(chosen, watchdog, say, stopping);
    process.stdout.write(cluster.notice);
    await aborted(stopping);
    await cluster.stop();
    say('stopped');
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if (error instanceof StartAbandoned) say(error.message);
    else if (clearErrors.includes(error.name)) {
      process.stderr.write(`The cluster can’t start:\n${error.message}\n`);
      process.exitCode = 1;
    } else throw error;
  } finally {
    await watchdog.finish();
  }
  process.exit();
}

function readPlanOrExit(): ClusterPlan | undefined {
  try {
    return readPlan(process.argv.slice(2), process.env);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if (error instanceof InvalidConfig) {
      process.stderr.write(`The configuration is not right:\n${error.message}\n`);
    } else if (error instanceof UsageError || ('code' in error && String(error.code).startsWith('ERR_PARSE'))) {
      process.stderr.write(`${error.message}\n${usage}`);
    } else throw error;
    process.exitCode = error instanceof InvalidConfig ? 1 : 2;
    return undefined;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
