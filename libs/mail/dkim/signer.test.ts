import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { before, describe, it } from 'node:test';
import fc from 'fast-check';
import { mailauthResults, verifySignatures } from '../../../tests/support/dkim-verify.ts';
import { systemClock } from '../../runtime/clock.ts';
import { createSecretBox, UnreadableSecret } from '../../runtime/secret-box.ts';
import type { SigningKey } from '../../store/ports/dkim-keys.ts';
import { toSevenBit } from '../convert/to-seven-bit.ts';
import type { DkimAlgorithm } from './algorithm.ts';
import { dkimRecord } from './dns-record.ts';
import { generateKeys, placeOfKey } from './key-pair.ts';
import { createSigner } from './signer.ts';

const secrets = createSecretBox([Buffer.alloc(32, 7).toString('base64')]);
const ours = { reversePath: 'alice@example.org', isOurs: true };
const mail = (fields: string, body = 'Hello,  you\r\n\r\n-- \r\nAlice\r\n\r\n\r\n'): Buffer =>
  Buffer.from(`${fields}\r\n\r\n${body}`);
const usual = 'From: Alice <alice@example.org>\r\nTo: bob@example.net\r\nSubject: Hi';

describe('signing', () => {
  const keys: SigningKey[] = [];
  const records: Record<string, string[]> = {};
  before(async () => {
    const make = async (domain: string, algorithm: DkimAlgorithm): Promise<void> => {
      const selector = algorithm.slice(0, algorithm.indexOf('-'));
      const { privateKey, publicKey } = await generateKeys(algorithm);
      keys.push({ domain, selector, algorithm, privateKey: secrets.seal(privateKey, placeOfKey(domain, selector)) });
      const { name, value } = dkimRecord({ domain, selector, algorithm, publicKey });
      records[name] = [value];
    };
    await Promise.all([
      make('example.org', 'rsa-sha256'),
      make('example.org', 'ed25519-sha256'),
      make('second.example', 'ed25519-sha256'),
      make('xn--bcher-kva.example', 'ed25519-sha256'),
    ]);
  });

  const asked: string[] = [];
  const dkimKeys = {
    active: async (domains: readonly string[]) => {
      asked.push(...domains);
      return keys
        .filter(({ domain }) => domains.includes(domain))
        .toSorted((a, b) => (a.selector < b.selector ? -1 : 1));
    },
  };
  const signerOf = (clock = systemClock) => createSigner({ dkimKeys, secrets, clock });
  const signer = signerOf();
  const signed = async (message: Buffer, context: { reversePath: string; isOurs: boolean } = ours): Promise<Buffer> => {
    const result = await signer.sign(message, context);
    assert.ok('header' in result, JSON.stringify(result));
    return Buffer.concat([result.header, message]);
  };
  const reason = async (message: Buffer, context = ours): Promise<string> => {
    const result = await signer.sign(message, context);
    return 'unsigned' in result ? result.unsigned : `signed by ${result.domain}`;
  };
  const bothPass = ['example.org/ed25519 pass', 'example.org/rsa pass'];

  it('a domain with two keys signs with both, and another verifier agrees', async () => {
    assert.deepEqual(await mailauthResults(await signed(mail(usual)), records), bothPass);
  });

  it('a change on the way is seen', async () => {
    const message = (await signed(mail(usual))).toString('latin1');
    for (const [from, to] of [
      ['Hello', 'Hallo'],
      ['Subject: Hi', 'Subject: Ho'],
    ] as const) {
      const results = await mailauthResults(Buffer.from(message.replace(from, to), 'latin1'), records);
      assert.deepEqual(
        results.filter((result) => result.includes(' pass')),
        [],
        from,
      );
    }
  });

  it('messages of every kind verify, whole and in pieces', async () => {
    const word = fc.stringMatching(/^[!-9;-~]{1,30}$/);
    const value = fc.array(fc.tuple(fc.constantFrom(' ', '\t', '  ', '\r\n '), word), { minLength: 1, maxLength: 8 });
    const name = fc.constantFrom(
      'To',
      'Cc',
      'Subject',
      'X-Any',
      'Reply-To',
      'REFERENCES',
      'List-Unsubscribe',
      'Received',
      'mime-version',
    );
    const field = fc
      .tuple(name, value)
      .map(([key, words]) => `${key}:${words.map(([gap, one]) => gap + one).join('')}`);
    const line = fc
      .array(fc.constantFrom(' ', '\t', 'a', 'word', '.', 'é', '='), { maxLength: 12 })
      .map((parts) => parts.join(''));
    const own = keys.filter(({ domain }) => domain === 'example.org');
    const publicKeys = Object.fromEntries(
      own.map(({ domain, selector, privateKey }) => [
        selector,
        createPublicKey(secrets.open(privateKey, placeOfKey(domain, selector))),
      ]),
    );
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(field, { maxLength: 12 }),
        fc.array(line, { maxLength: 12 }),
        fc.integer({ min: 1, max: 90 }),
        async (fields, lines, size) => {
          const message = mail(['From: alice@example.org', ...fields].join('\r\n'), lines.join('\r\n'));
          const whole = await signed(message);
          assert.deepEqual(verifySignatures(whole, publicKeys), [true, true]);
          // mailauth verifies fewer in a second.
          if (runs++ % 4 === 0) assert.deepEqual(await mailauthResults(whole, records), bothPass);
          const pieces = async function* () {
            for (let at = 0; at < message.length; at += size) yield message.subarray(at, at + size);
          };
          const inPieces = await signer.sign(pieces(), ours);
          assert.ok('header' in inPieces);
          assert.deepEqual(verifySignatures(Buffer.concat([inPieces.header, message]), publicKeys), [true, true]);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('what was converted to 7 bits before is what is signed', async () => {
    const fields = `${usual}\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit`;
    const converted = toSevenBit(mail(fields, 'Grüße  aus Köln \r\n'));
    assert.ok(converted.ok);
    assert.deepEqual(await mailauthResults(await signed(converted.message), records), bothPass);
  });

  it('a header in UTF-8 is signed as A-labels', async () => {
    const message = await signed(mail('From: jörg@bücher.example\r\nSubject: Grüße\xa0'), { ...ours, reversePath: '' });
    assert.deepEqual(await mailauthResults(message, records), ['xn--bcher-kva.example/ed25519 pass']);
  });

  it('the author’s domain signs, else the one of the reverse-path, else none', async () => {
    const from = (domain: string): Buffer => mail(`From: x@${domain}`);
    assert.equal(await reason(from('second.example')), 'signed by second.example');
    assert.equal(await reason(from('elsewhere.example')), 'signed by example.org');
    assert.equal(await reason(from('SECOND.example'), { ...ours, reversePath: '' }), 'signed by second.example');
    for (const reversePath of ['', 'x@[192.0.2.1]', 'x@other.example']) {
      assert.equal(await reason(from('sub.example.org'), { ...ours, reversePath }), 'noKey', reversePath);
    }
  });

  it('what strangers wrote is not signed, though From names a domain of ours', async () => {
    assert.equal(await reason(mail(usual), { ...ours, isOurs: false }), 'foreign');
  });

  it('a message that has our signature over its body is not signed again; with another body it is', async () => {
    const message = await signed(mail(usual));
    assert.equal(await reason(message), 'alreadySigned');
    const changed = Buffer.concat([message, Buffer.from('more\r\n')]);
    assert.equal(await reason(changed), 'signed by example.org');
  });

  it('no From, several, or several authors: nobody vouches for it, and the reason is told', async () => {
    const cases: [string, string][] = [
      ['Subject: none', 'noFrom'],
      [`${usual}\r\nFrom: bob@example.org`, 'severalFrom'],
      ['From: alice@example.org, mallory@elsewhere.example', 'severalAuthors'],
      ['From: alice@example.org, carol@Example.ORG', 'signed by example.org'],
      ['From: alice', 'unreadableFrom'],
      ['From: ', 'unreadableFrom'],
      ['From: alice@example.org, bob', 'unreadableFrom'],
      [`${usual}\r\nno field`, 'malformedHeader'],
      [`${usual}${'\r\nTo: b@example.net'.repeat(300)}`, 'tooManyFields'],
    ];
    for (const [fields, expected] of cases) assert.equal(await reason(mail(fields)), expected, fields.slice(0, 60));
    assert.equal(await reason(Buffer.from(`${usual}\r\nX: ${'x'.repeat(300_000)}`)), 'malformedHeader');
    assert.equal(await reason(Buffer.alloc(0)), 'noFrom');
  });

  it('a message without a body is signed', async () => {
    assert.deepEqual(await mailauthResults(await signed(Buffer.from(`${usual}\r\n\r\n`)), records), bothPass);
  });

  it('keys are asked for once in a minute, also by many messages at once, and for domains without any', async () => {
    let nowMs = 0;
    const own = signerOf({ ...systemClock, monotonicMs: () => nowMs });
    asked.length = 0;
    await Promise.all(Array.from({ length: 20 }, () => own.sign(mail('From: a@none.example'), ours)));
    assert.deepEqual(asked.toSorted(), ['example.org', 'none.example']);
    nowMs = 59_999;
    await own.sign(mail('From: a@none.example'), ours);
    assert.equal(asked.length, 2);
    nowMs = 60_000;
    await own.sign(mail('From: a@none.example'), ours);
    assert.equal(asked.length, 4);
    assert.equal(own.size, 2);
  });

  it('a key that can not be opened stops the signing with its place and no secret', async () => {
    const own = createSigner({ dkimKeys, secrets: createSecretBox(), clock: systemClock });
    await assert.rejects(own.sign(mail(usual), ours), (error: unknown) => {
      assert.ok(error instanceof UnreadableSecret);
      assert.match(error.message, /dkim\/example\.org\/(rsa|ed25519).*WAYPOST_SECRETS_KEY/);
      return true;
    });
  });
});
