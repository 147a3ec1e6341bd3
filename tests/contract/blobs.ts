import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import type { Blobs } from '../../libs/blobs/port.ts';
import { newId } from '../../libs/runtime/ids.ts';
import { NotFound } from '../../libs/store/errors.ts';

/** What each adapter of Blobs keeps. `open` gives an empty one. */
export function blobsContract(name: string, open: () => Promise<{ blobs: Blobs; close(): Promise<void> }>): void {
  describe(`blobs contract: ${name}`, () => {
    let blobs: Blobs;
    let opened: { blobs: Blobs; close(): Promise<void> };
    before(async () => {
      opened = await open();
      blobs = opened.blobs;
    });
    after(() => opened.close());

    const never = new AbortController().signal;
    const put = (...chunks: Uint8Array[]) => blobs.put(streamOf(chunks), never);

    it('what is put is read back byte for byte, with its size and SHA-256', async () => {
      const chunks = [randomBytes(100_000), randomBytes(1), new Uint8Array(0), randomBytes(250_000)];
      const whole = Buffer.concat(chunks);
      const { ref, sizeBytes, sha256 } = await put(...chunks);
      assert.deepEqual([sizeBytes, sha256], [whole.length, createHash('sha256').update(whole).digest('hex')]);
      assert.deepEqual(await collect(blobs.read(ref)), whole);
    });

    it('an empty blob is a blob', async () => {
      const { ref, sizeBytes } = await put();
      assert.equal(sizeBytes, 0);
      assert.equal((await collect(blobs.read(ref))).length, 0);
    });

    it('ranges: the end is exclusive, and what lies past the end of the blob is empty', async () => {
      const whole = randomBytes(200_000);
      const { ref } = await put(whole);
      for (const [start, end] of [
        [0, 1],
        [65_535, 65_537],
        [150_000, 200_000],
        [199_999, 300_000],
        [5, 5],
        [200_000, 200_001],
      ] as const)
        assert.deepEqual(await collect(blobs.read(ref, { start, end })), whole.subarray(start, end), `${start}-${end}`);
    });

    it('a body of many pieces, the last one whole or not, comes back, also in ranges over their seams', async () => {
      for (const size of [10 * mib, 10 * mib + 17]) {
        const whole = randomBytes(size);
        const chunks = Array.from({ length: Math.ceil(size / 99_999) }, (_, n) =>
          whole.subarray(n * 99_999, (n + 1) * 99_999),
        );
        const { ref, sizeBytes, sha256 } = await put(...chunks);
        assert.deepEqual([sizeBytes, sha256], [size, createHash('sha256').update(whole).digest('hex')]);
        assert.ok((await collect(blobs.read(ref))).equals(whole));
        for (const [start, end] of [
          [0, 5 * mib + 1],
          [5 * mib - 1, 5 * mib + 1],
          [261_119, 261_121],
          [size - 1, size + 10],
        ] as const) {
          const part = await collect(blobs.read(ref, { start, end }));
          assert.ok(part.equals(whole.subarray(start, end)), `${start}-${end}`);
        }
      }
    });

    it('a reader that stops early leaves the rest alone, and others read on', async () => {
      const whole = randomBytes(3 * mib);
      const { ref } = await put(whole);
      for (let n = 0; n < 30; n += 1) {
        for await (const chunk of blobs.read(ref)) {
          assert.ok(chunk.length > 0);
          break;
        }
      }
      assert.ok((await collect(blobs.read(ref))).equals(whole));
    });

    it('the same bytes put twice are two blobs: removing one leaves the other', async () => {
      const bytes = randomBytes(1000);
      const [one, two] = await Promise.all([put(bytes), put(bytes)]);
      assert.notEqual(one.ref, two.ref);
      await blobs.remove(one.ref);
      await blobs.remove(one.ref);
      await assert.rejects(collect(blobs.read(one.ref)), NotFound);
      assert.deepEqual(await collect(blobs.read(two.ref)), bytes);
    });

    it('a reference that is made up is not found, whatever it looks like', async () => {
      for (const ref of [
        newId(),
        '',
        '..',
        '../../etc/passwd',
        '/etc/passwd',
        'tmp',
        `../${newId()}`,
        'a'.repeat(5000),
        '\0',
      ]) {
        await assert.rejects(collect(blobs.read(ref)), NotFound, ref);
        await blobs.remove(ref);
      }
    });

    it('a put that is broken off or whose source fails leaves nothing', async () => {
      const before = await refsOf();
      const aborting = new AbortController();
      const endless = async function* (): AsyncGenerator<Uint8Array> {
        yield randomBytes(10);
        aborting.abort(new Error('client gone'));
        yield randomBytes(10);
      };
      await assert.rejects(blobs.put(endless(), aborting.signal), /client gone/);
      const failing = async function* (): AsyncGenerator<Uint8Array> {
        yield randomBytes(10);
        throw new Error('socket closed');
      };
      await assert.rejects(blobs.put(failing(), never), /socket closed/);
      const failingLate = async function* (): AsyncGenerator<Uint8Array> {
        for (let n = 0; n < 60; n += 1) yield randomBytes(100_000);
        throw new Error('socket closed late');
      };
      await assert.rejects(blobs.put(failingLate(), never), /socket closed late/);
      assert.deepEqual(await refsOf(), before);
    });

    it('the list gives each blob once, in pages, and not those that are younger than asked', async () => {
      const put10 = await Promise.all(Array.from({ length: 10 }, () => put(randomBytes(10))));
      const refs = await refsOf();
      for (const { ref } of put10) assert.equal(refs.filter((listed) => listed === ref).length, 1);
      assert.deepEqual((await blobs.list({ olderThanMs: 3_600_000, limit: 100 })).refs, []);
    });

    it('many at once', async () => {
      const bodies = Array.from({ length: 30 }, () => randomBytes(5_000));
      const stored = await Promise.all(bodies.map((bytes) => put(bytes)));
      for (const [n, { ref }] of stored.entries()) assert.deepEqual(await collect(blobs.read(ref)), bodies[n]);
    });

    async function refsOf(): Promise<string[]> {
      const refs: string[] = [];
      let cursor: string | undefined;
      do {
        // A blob of this very millisecond is not older than 0 ms for every clock.
        const page = await blobs.list({ olderThanMs: -10_000, limit: 3, ...(cursor === undefined ? {} : { cursor }) });
        refs.push(...page.refs);
        cursor = page.cursor;
      } while (cursor !== undefined);
      return refs.sort();
    }
  });
}

const mib = 1024 * 1024;

export async function* streamOf(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield chunk;
}

export async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}
