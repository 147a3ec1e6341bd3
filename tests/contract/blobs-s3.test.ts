import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { S3mini } from 's3mini';
import { BlobDamaged, UnusableBlobStore } from '../../libs/blobs/errors.ts';
import { openBlobsForReading } from '../../libs/blobs/open.ts';
import type { Blobs } from '../../libs/blobs/port.ts';
import { openS3Blobs } from '../../libs/blobs/s3/blobs.ts';
import { s3Client } from '../../libs/blobs/s3/client.ts';
import { StoreUnavailable } from '../../libs/store/errors.ts';
import { requireS3, s3ForFile } from '../backends/require.ts';
import { readerKeys } from '../backends/s3.ts';
import { freePorts } from '../support/free-ports.ts';
import { S3Link } from '../support/s3-link.ts';
import { blobsContract, collect, streamOf } from './blobs.ts';

const s3 = await s3ForFile();
const options = { url: s3.backend?.url ?? '', accessKey: s3.backend?.accessKey, secretKey: s3.backend?.secretKey };
const never = new AbortController().signal;
const mib = 1024 * 1024;

if (s3.skip === false) {
  blobsContract('S3', async () => ({ blobs: await openS3Blobs(options), close: () => Promise.resolve() }));
}

describe('S3, when something goes wrong', { skip: s3.skip }, () => {
  let link: S3Link;
  let linked: string;
  let blobs: Blobs;
  before(async () => {
    const to = await S3Link.to(options.url);
    link = to.link;
    linked = to.url;
    blobs = await openS3Blobs({ ...options, url: to.url });
  });
  after(() => link.close());

  const put = (bytes: Buffer, blobStore = blobs) => blobStore.put(streamOf([bytes]), never);
  const large = randomBytes(11 * mib);
  const isPut = ({ method }: { method: string }): boolean => method === 'PUT';
  const isPart = ({ url }: { url: string }): boolean => url.includes('partNumber=');
  const isEnd = ({ method, url }: { method: string; url: string }): boolean =>
    method === 'POST' && url.includes('uploadId=');

  it('a body whose answer is lost is put again, and there once', async () => {
    const earlier = await refsOf(blobs);
    for (const [bytes, matches] of [
      [randomBytes(300_000), isPut],
      [large, isPart],
      [large, isEnd],
    ] as const) {
      link.next(1, { kind: 'loseReply' }, matches);
      const { ref } = await put(bytes);
      assert.ok((await collect(blobs.read(ref))).equals(bytes));
      assert.deepEqual(
        (await refsOf(blobs)).filter((listed) => !earlier.includes(listed)),
        [ref],
      );
      await blobs.remove(ref);
    }
  });

  it('a server that has forgotten the upload whose last answer was lost is believed when the object is there', async () => {
    link.next(1, { kind: 'loseReply' }, isEnd);
    link.next(1, { kind: 'answer', status: 404, code: 'NoSuchUpload' }, isEnd);
    const { ref } = await put(large);
    assert.ok((await collect(blobs.read(ref))).equals(large));
  });

  it('an upload that the server has lost is an error, and nothing of it stays', async () => {
    const earlier = await refsOf(blobs);
    link.next(1, { kind: 'answer', status: 404, code: 'NoSuchUpload' }, isEnd);
    await assert.rejects(put(large), StoreUnavailable);
    assert.deepEqual(await refsOf(blobs), earlier);
  });

  it('an error that comes after a 200 is an error: it is asked again', async () => {
    link.next(1, { kind: 'answer', status: 200, code: 'InternalError' }, isEnd);
    const { ref } = await put(large);
    assert.ok((await collect(blobs.read(ref))).equals(large));
  });

  it('a server that is busy for a moment is asked again; one that stays so is unavailable', async () => {
    link.next(2, { kind: 'answer', status: 503, code: 'SlowDown' }, isPut);
    await put(randomBytes(300_000));
    link.next(100, { kind: 'answer', status: 503, code: 'SlowDown' }, isPut);
    await assert.rejects(put(randomBytes(300_000)), StoreUnavailable);
    link.heal();
  });

  it('keys or a bucket that are taken away later make the store unavailable, and a body isn’t missing for that', async () => {
    const { ref } = await put(randomBytes(1000));
    for (const [status, code] of [
      [403, 'AccessDenied'],
      [404, 'NoSuchBucket'],
    ] as const) {
      link.next(3, { kind: 'answer', status, code }, () => true);
      await assert.rejects(put(randomBytes(1000)), StoreUnavailable);
      await assert.rejects(collect(blobs.read(ref)), StoreUnavailable);
      link.heal();
    }
  });

  it('a body that ends early while it is read is an error, not a shorter body', async () => {
    const { ref } = await put(randomBytes(2 * mib));
    for (const range of [undefined, { start: 10, end: mib }]) {
      link.next(1, { kind: 'cutReply' }, ({ method }) => method === 'GET');
      await assert.rejects(collect(blobs.read(ref, range)), StoreUnavailable);
    }
  });

  it('a body that is another than was put is told as damaged', async () => {
    const { ref, sha256 } = await put(randomBytes(1000));
    await rawClient().putObject(`bodies/${ref}`, randomBytes(1000), undefined, undefined, {
      'x-amz-meta-sha256': sha256,
    });
    await assert.rejects(collect(blobs.read(ref)), BlobDamaged);
  });

  it('an upload that a crash left is listed when it is old enough, and removed as a body is', async () => {
    const client = rawClient();
    const { ref } = await put(randomBytes(10));
    const uploadId = await client.getMultipartUploadId(`bodies/${ref}`);
    await client.uploadPart(`bodies/${ref}`, uploadId, randomBytes(1000), 1);
    const left = (await refsOf(blobs)).filter((listed) => listed.startsWith(ref));
    assert.equal(left.length, 2);
    assert.deepEqual((await refsOf(blobs, 3_600_000)).length, 0);
    for (const one of left) {
      await blobs.remove(one);
      await blobs.remove(one);
    }
    assert.deepEqual(
      (await refsOf(blobs)).filter((listed) => listed.startsWith(ref)),
      [],
    );
  });

  it('a server that doesn’t answer is given up after the time limit', async () => {
    link.next(1, { kind: 'silence' }, isPut);
    const request = s3Client({ ...options, url: linked });
    const begun = performance.now();
    await assert.rejects(
      request('put', (client) => client.putObject('probe/x', 'x'), { timeoutMs: 200 }),
      /StoreUnavailable: S3 put: no answer \(ETIMEDOUT\)/,
    );
    assert.ok(performance.now() - begun < 5_000);
  });

  it('opened for reading it sends nothing until it is read', async () => {
    const { ref } = await put(randomBytes(1000));
    const { url } = options;
    const reading = await openBlobsForReading({ ...options, url });
    assert.equal((await collect(reading.read(ref))).length, 1000);
  });

  it('the start says what is wrong and what to do, and never a key', async (t) => {
    if (s3.backend?.control === undefined) return t.skip('another server has other users');
    const [unused] = await freePorts(1);
    const wrong: readonly [Partial<typeof options>, RegExp][] = [
      [{ url: options.url.replace('s3://', 's3://not-') }, /NoSuchBucket.*make the bucket/],
      [{ secretKey: 'tell-nobody' }, /SignatureDoesNotMatch.*WAYPOST_BLOBS_SECRET_KEY/],
      [{ accessKey: 'tell-nobody' }, /InvalidAccessKeyId.*WAYPOST_BLOBS_ACCESS_KEY/],
      [readerKeys, /AccessDenied.*s3:PutObject/],
      [{ url: 's3://bucket?endpoint=http://nowhere.invalid' }, /doesn’t resolve/],
      [{ url: `s3://bucket?endpoint=http://127.0.0.1:${unused}` }, /ECONNREFUSED.*see that the server runs/],
      [{ url: options.url.replace('http://', 'https://') }, /doesn’t speak TLS/],
      [{ url: 's3://bucket' }, /the wrong form.*s3:\/\/bucket\?endpoint=/],
      [{ secretKey: '' }, /needs keys/],
    ];
    for (const [given, message] of wrong) {
      await assert.rejects(openS3Blobs({ ...options, ...given }), (error) => {
        assert.ok(error instanceof UnusableBlobStore);
        assert.match(error.message, message);
        assert.doesNotMatch(JSON.stringify(error) + String(error.stack), /tell-nobody|waypost-test-secret/);
        return true;
      });
    }
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 3 * 3_600_000 });
    await assert.rejects(openS3Blobs(options), /RequestTimeTooSkewed.*clock/);
    t.mock.timers.reset();
    link.next(1, { kind: 'answer', status: 301, code: 'PermanentRedirect' }, isPut);
    const moved = new URL(options.url);
    moved.searchParams.set('endpoint', link.endpoint);
    await assert.rejects(openS3Blobs({ ...options, url: moved.href }), /`region` and `endpoint`/);
  });

  it('a server that is killed in the middle of an upload makes it fail, and what it leaves is collected', async (t) => {
    const own = await requireS3(t, { own: true });
    if (own === undefined) return;
    const store = await openS3Blobs(own);
    const killing = async function* (): AsyncGenerator<Uint8Array> {
      for (let n = 0; n < 60; n += 1) yield randomBytes(100_000);
      await own.control?.kill();
      for (let n = 0; n < 60; n += 1) yield randomBytes(100_000);
    };
    await assert.rejects(store.put(killing(), never), StoreUnavailable);
    await own.control?.start();
    const { ref } = await put(large, store);
    for (const listed of await refsOf(store)) if (listed !== ref) await store.remove(listed);
    assert.deepEqual(await refsOf(store), [ref]);
    assert.ok((await collect(store.read(ref))).equals(large));
  });
});

function rawClient(): S3mini {
  const { pathname, host, searchParams } = new URL(options.url);
  assert.equal(pathname, '');
  return new S3mini({
    accessKeyId: options.accessKey ?? '',
    secretAccessKey: options.secretKey ?? '',
    endpoint: `${searchParams.get('endpoint')}/${host}`,
    region: searchParams.get('region') ?? 'us-east-1',
  });
}

async function refsOf(blobs: Blobs, olderThanMs = -10_000): Promise<string[]> {
  const refs: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await blobs.list({ olderThanMs, limit: 100, ...(cursor === undefined ? {} : { cursor }) });
    refs.push(...page.refs);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return refs;
}
