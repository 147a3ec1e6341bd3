import { describe } from 'node:test';
import { remoteCases } from './queue-remote-cases.ts';

describe('the queue’s remote side over SQLite', () => remoteCases(() => ({})));
