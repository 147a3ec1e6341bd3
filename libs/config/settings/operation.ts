import { logLevels } from '../../ops/log-levels.ts';
import { duration, oneOf } from '../forms.ts';
import { setting } from './setting.ts';

/** How the process behaves. */
export const operationSettings = {
  sweepIntervalMs: setting(
    'Operation',
    'WAYPOST_SWEEP_INTERVAL',
    duration({ min: '100ms', max: '10m' }),
    '30s',
    'How often the store is searched for work whose wake-up was lost.',
  ),
  partitionLeaseMs: setting(
    'Operation',
    'WAYPOST_PARTITION_LEASE',
    duration({ min: '1s', max: '5m' }),
    '15s',
    'Lease of a queue partition and of local batches.',
  ),
  deliveryLeaseMs: setting(
    'Operation',
    'WAYPOST_DELIVERY_LEASE',
    duration({ min: '5s', max: '30m' }),
    '90s',
    'Lease of batches for outside.',
  ),
  gracePeriodMs: setting(
    'Operation',
    'WAYPOST_GRACE_PERIOD',
    duration({ min: '100ms', max: '30m' }),
    '30s',
    'Time to finish what is under way after SIGTERM.',
  ),
  logLevel: setting(
    'Operation',
    'WAYPOST_LOG_LEVEL',
    oneOf(logLevels),
    'info',
    'The least level that is logged (JSON, stderr).',
  ),
};
