import { join } from 'node:path';

/**
 * Where Node keeps the stripped and compiled code, unless the environment says otherwise.
 * @param {string} root
 */
export function compileCache(root) {
  return process.env['NODE_COMPILE_CACHE'] ?? join(root, 'node_modules', '.cache', 'compile');
}
