// Run by watchdog.test.ts: starts a server under a watchdog, says where it is, and waits to be killed.
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts, serverProcess } from './server-process.ts';
import { startWatchdog } from './watchdog.ts';

const folder = mkdtempSync(join(tmpdir(), 'waypost-orphan-'));
const [port = 0] = await freePorts(1);
const listen = `require('node:net').createServer().listen(${port}, '127.0.0.1')`;
serverProcess(process.execPath, ['-e', listen], join(folder, 'log'), startWatchdog(folder)).start();
process.stdout.write(`${JSON.stringify({ folder, port })}\n`);
setInterval(() => undefined, 1000);
