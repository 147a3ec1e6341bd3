import { describe } from 'node:test';
import { remoteReportCases } from './queue-reports-remote-cases.ts';

describe('reports on mail for outside: SQLite', () => remoteReportCases(() => ({})));
