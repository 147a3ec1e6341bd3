// `npm run format` writes the one format that `npm run check` asks for.
import { spawnSync } from 'node:child_process';
import { projectRoot } from './source-files.ts';
import { toolPaths } from './tool-paths.ts';

const paths = process.argv.slice(2);
const { status } = spawnSync(
  process.execPath,
  [toolPaths.biome, 'format', '--write', ...(paths.length > 0 ? paths : ['.'])],
  {
    cwd: projectRoot,
    stdio: 'inherit',
  },
);
process.exitCode = status ?? 1;
