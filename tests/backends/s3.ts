import { globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { S3mini } from 's3mini';
import { serverBinary } from '../../tools/servers/binaries.ts';
import { freePorts, serverProcess } from '../../tools/servers/server-process.ts';
import { until } from '../../tools/servers/until.ts';
import { startWatchdog } from '../../tools/servers/watchdog.ts';
import { firstOpenWay, type Way } from './unavailable.ts';

export interface S3Server {
  /** As WAYPOST_BLOBS_URL, with a bucket that is there. */
  url: string;
  accessKey: string;
  secretKey: string;
  /** Undefined when the address was given: it is not ours to kill. */
  control: S3Control | undefined;
  /** Ends what was started and removes its data. */
  stop(): Promise<void>;
}

export interface S3Control {
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again at the same address with its data, and waits until it answers. */
  start(): Promise<void>;
}

/**
 * A real S3 server with an empty bucket: WAYPOST_TEST_S3_URL (as WAYPOST_BLOBS_URL, with WAYPOST_TEST_S3_ACCESS_KEY and WAYPOST_TEST_S3_SECRET_KEY), else SeaweedFS as
 * a process on loopback.
 * @throws BackendUnavailable
 */
export async function s3Server({ own = false }: { own?: boolean } = {}): Promise<S3Server> {
  const url = process.env['WAYPOST_TEST_S3_URL'];
  const ways: Way<S3Server>[] = [{ name: 'weed', open: s3Process }];
  if (url === undefined || own) return firstOpenWay('S3', ways);
  const accessKey = process.env['WAYPOST_TEST_S3_ACCESS_KEY'] ?? '';
  const secretKey = process.env['WAYPOST_TEST_S3_SECRET_KEY'] ?? '';
  return { url, accessKey, secretKey, control: undefined, stop: () => Promise.resolve() };
}

const keys = { accessKey: 'waypost-test', secretKey: 'waypost-test-secret' };
/** May read and list, and no more. */
export const readerKeys = { accessKey: 'waypost-reader', secretKey: 'waypost-reader-secret' };
const bucket = 'waypost-test';

async function s3Process(): Promise<S3Server> {
  const binary = await serverBinary('weed');
  const folder = mkdtempSync(join(tmpdir(), 'waypost-s3-'));
  const watchdog = startWatchdog(folder);
  const { args, ports } = await weedArguments(folder);
  const server = serverProcess(binary, args, join(folder, 'log'), watchdog);
  const endpoint = `http://127.0.0.1:${ports[0]}`;
  const stop = async (): Promise<void> => {
    await watchdog.finish();
    // It puts them there whatever it is told.
    for (const socket of globSync(`/tmp/seaweedfs-*-{${ports.join(',')}}.sock`)) rmSync(socket, { force: true });
  };
  const client = new S3mini({
    accessKeyId: keys.accessKey,
    secretAccessKey: keys.secretKey,
    endpoint: `${endpoint}/${bucket}`,
    region: 'us-east-1',
    requestAbortTimeout: 5_000,
  });
  const takesObjects = async (): Promise<true> => {
    if (!(await client.bucketExists())) await client.createBucket();
    await client.putObject('started', 'yes');
    await client.deleteObject('started');
    return true;
  };
  const start = async (): Promise<void> => {
    server.start();
    await until('the S3 server takes objects', 30_000, takesObjects, () => server.isRunning());
  };
  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: `s3://${bucket}?endpoint=${endpoint}`,
    ...keys,
    control: { kill: () => server.kill(), start },
    stop,
  };
}

/** Master, volumes, filer and gateway in one process, each with its port; what isn't needed is off. */
async function weedArguments(folder: string): Promise<{ args: string[]; ports: number[] }> {
  const identity = ({ accessKey, secretKey }: typeof keys, actions: string[]) => ({
    name: accessKey,
    credentials: [{ accessKey, secretKey }],
    actions,
  });
  const identities = [identity(keys, ['Admin', 'Read', 'Write', 'List']), identity(readerKeys, ['Read', 'List'])];
  const config = join(folder, 's3.json');
  writeFileSync(config, JSON.stringify({ identities }));
  const ports = await freePorts(portNames.length);
  const args = [
    '-logtostderr',
    'server',
    `-dir=${folder}`,
    '-ip=127.0.0.1',
    '-ip.bind=127.0.0.1',
    '-filer',
    '-s3',
    `-s3.config=${config}`,
    '-s3.autoCreateBucket=false',
    '-s3.iam=false',
    '-s3.port.iceberg=0',
    '-s3.port.lance=0',
    '-master.telemetry=false',
    // A master that was killed waits that long before it leads itself again.
    '-master.electionTimeout=1s',
    '-master.volumeSizeLimitMB=64',
    '-volume.max=100',
    '-volume.minFreeSpace=0',
    ...portNames.map((name, index) => `-${name}=${ports[index]}`),
  ];
  return { args, ports };
}

const portNames = [
  's3.port',
  'master.port',
  'master.port.grpc',
  'volume.port',
  'volume.port.grpc',
  'filer.port',
  'filer.port.grpc',
  's3.port.grpc',
];
