import { InvalidConfig } from '../libs/config/invalid-config.ts';
import { type Config, loadConfig } from '../libs/config/load.ts';
import { createLogger } from '../libs/ops/logger.ts';
import { crashOnUnhandled, stopOnSignals } from '../libs/runtime/shutdown.ts';
import type { Waypost } from './all.ts';
import { type ServiceName, serviceNames } from './service-names.ts';
import { tellParent } from './start-message.ts';

const usage = `usage: start [service …]   none is all of ${serviceNames.join(', ')}\n`;

/** Errors whose message tells people what to do; of others the log has the stack. */
const clearErrors = [
  'InvalidConfig',
  'DataDirectoryInUse',
  'SchemaTooNew',
  'CannotListen',
  'TlsFilesUnusable',
  'UnsuitableServer',
  'StoreMisconfigured',
  'SchemaNotReady',
  'StoreUnavailable',
  'UnusableBlobStore',
  'BusMisconfigured',
];

await main(process.argv.slice(2));

async function main([command, ...names]: readonly string[]): Promise<void> {
  const services = names.flatMap((name) => serviceNames.find((known) => known === name) ?? []);
  if (command !== 'start' || services.length !== names.length) {
    process.stderr.write(usage);
    process.exitCode = 2;
    return;
  }
  try {
    await start(services);
  } catch (error) {
    if (!(error instanceof Error) || !clearErrors.includes(error.name)) throw error;
    const title = error instanceof InvalidConfig ? 'The configuration is not right' : 'Waypost can’t start';
    process.stderr.write(`${title}:\n${error.message}\n`);
    process.exitCode = 1;
  }
}

async function start(services: readonly ServiceName[]): Promise<void> {
  const config = loadConfig(process.env);
  const log = createLogger({ level: config.logLevel });
  crashOnUnhandled(log);
  // Loaded when the configuration is right: its errors come at once.
  const { startWaypost } = await import('./all.ts');
  const running: { waypost?: Waypost } = {};
  // Also while it starts, which can take long: the first process of a container ends by no signal that it doesn't heed. Nobody has been told that it is
  // ready, so there is nothing to drain.
  const stop = async (): Promise<void> => running.waypost?.stop(drainMs(config));
  stopOnSignals({ stop, graceMs: config.gracePeriodMs, log });
  const waypost = await startWaypost(config, log, services);
  running.waypost = waypost;
  if (process.send !== undefined) {
    tellParent(waypost);
    return;
  }
  const { describeStart } = await import('./start-notice.ts');
  process.stdout.write(describeStart(config, waypost));
}

/** A part of the grace period is kept for closing what the drained sessions have used. */
function drainMs(config: Config): number {
  return config.gracePeriodMs * 0.8;
}
