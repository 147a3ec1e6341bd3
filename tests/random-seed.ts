import fc from 'fast-check';

/**
 * Loaded before each test file: random cases are the same in each run, so that what is green stays green until somebody changes something.
 * `WAYPOST_TEST_SEED=random` (or a number) looks for new ones; a failure prints its seed.
 */
const wanted = process.env['WAYPOST_TEST_SEED'];
if (wanted !== 'random') fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(wanted ?? 20_261_123) });
