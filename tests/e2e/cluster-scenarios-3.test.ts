import { runInCluster } from './scenarios.ts';

await runInCluster(2);
