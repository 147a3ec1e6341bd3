import { remoteDeliveryCases } from './delivery-remote-cases.ts';

remoteDeliveryCases('SQLite', () => ({}));
