import { parseMessage } from '../../libs/mail/mime/parse-message.ts';
import { parseSummary } from '../../libs/mail/mime/parse-summary.ts';
import { readListing } from '../../libs/mail/parse-pool/listing.ts';
import { tokenize } from '../../libs/mail/search/tokenize.ts';

/** Prints microseconds for each operation on messages of 4 KiB and 100 KiB: `node tests/bench/mime.ts`. */
const HEADER = [
  'Return-Path: <bob@example.test>',
  'Received: from client.example.test (client.example.test [192.0.2.7])',
  '\tby mail.example.test (Waypost) with ESMTPS id 0190b0c4-7e0a-7000-8000-000000000001',
  '\tfor <alice@example.test>; Tue, 02 Jul 2024 10:00:00 +0000',
  'From: "Bob Example" <bob@example.test>',
  'To: Alice <alice@example.test>, Carol <carol@example.test>',
  'Subject: The figures for the second quarter',
  'Message-ID: <0190b0c4-7e0a-7000-8000-000000000002@example.test>',
  'In-Reply-To: <0190b0c4-7e0a-7000-8000-000000000003@example.test>',
  'References: <0190b0c4-7e0a-7000-8000-000000000004@example.test>',
  ' <0190b0c4-7e0a-7000-8000-000000000003@example.test>',
  'Date: Tue, 02 Jul 2024 12:00:00 +0200',
  'MIME-Version: 1.0',
].join('\r\n');
const LINE = 'The quick brown fox jumps over the lazy dog and reads its mail in the evening.\r\n';

function fill(bytes: number): string {
  return LINE.repeat(Math.ceil(bytes / LINE.length)).slice(0, bytes);
}

function plain(size: number): Buffer {
  return Buffer.from(
    `${HEADER}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n${fill(size - HEADER.length - 50)}`,
  );
}

function alternative(size: number): Buffer {
  const half = (size - HEADER.length) / 2;
  const text = `--b1\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nJ\u00fcrg: ${fill(half)}\r\n`;
  const html = `--b1\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>J=C3=BCrg: ${fill(half)}</p>\r\n`;
  return Buffer.from(`${HEADER}\r\nContent-Type: multipart/alternative; boundary="b1"\r\n\r\n${text}${html}--b1--\r\n`);
}

function attachment(size: number): Buffer {
  const content = Buffer.alloc((size * 3) / 4, 7)
    .toString('base64')
    .replace(/.{76}/g, '$&\r\n');
  const text = `--b1\r\nContent-Type: text/plain\r\n\r\n${fill(500)}\r\n`;
  const file = `--b1\r\nContent-Type: image/png; name=a.png\r\nContent-Transfer-Encoding: base64\r\n\r\n${content}\r\n`;
  return Buffer.from(`${HEADER}\r\nContent-Type: multipart/mixed; boundary="b1"\r\n\r\n${text}${file}--b1--\r\n`);
}

function measure(name: string, run: () => unknown): void {
  const turns = 20_000;
  const warmUntil = performance.now() + 300;
  while (performance.now() < warmUntil) run();
  const until = performance.now() + 700;
  const start = performance.now();
  let count = 0;
  while (count < turns && performance.now() < until) {
    run();
    count++;
  }
  console.log(`${name.padEnd(48)} ${(((performance.now() - start) * 1000) / count).toFixed(1).padStart(10)} us`);
}

for (const size of [4096, 102_400]) {
  for (const [form, make] of Object.entries({ plain, alternative, attachment })) {
    const raw = make(size);
    measure(`parseSummary ${form} ${size / 1024} KiB`, () => parseSummary(raw));
    measure(`parseSummary ${form} ${size / 1024} KiB, no search text`, () => parseSummary(raw, { searchText: false }));
    measure(`readListing ${form} ${size / 1024} KiB, with tokens`, () => readListing(raw, { search: true }));
    measure(`parseMessage ${form} ${size / 1024} KiB`, () => parseMessage(raw));
  }
  const text = fill(size);
  measure(`tokenize ASCII ${size / 1024} KiB`, () => tokenize(text));
  const german = text.replaceAll('fox', 'f\u00fcchse');
  measure(`tokenize Latin ${size / 1024} KiB`, () => tokenize(german));
}
