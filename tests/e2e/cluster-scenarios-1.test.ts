import { runInCluster } from './scenarios.ts';

await runInCluster(0);
