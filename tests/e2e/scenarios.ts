/**
 * What a client can see must be the same in both modes: these files run by themselves against one process, and once more against the five services over MongoDB and
 * NATS (cluster-scenarios-*.test.ts), a share each so that none takes long.
 */
const scenarios: readonly (readonly string[])[] = [
  ['accounts', 'api-document', 'bad-input-http', 'behaviours-clients', 'behaviours-failure'],
  [
    'behaviours-mail',
    'isolation',
    'large-message',
    'lists-and-changes',
    'mailbox-api',
    'many-accounts',
    'messages',
    'sending',
  ],
  ['outgoing', 'outgoing-trouble'],
];

/** Registers the tests of a share's files for the cluster. */
export async function runInCluster(share: number): Promise<void> {
  process.env['WAYPOST_TEST_MODE'] = 'cluster';
  for (const name of scenarios[share] ?? []) await import(`./${name}.test.ts`);
}
