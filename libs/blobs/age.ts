/** What every UUIDv7 that was made at or after `ms` is greater than, and every older one is not: bodies are named by such ids, so their names tell their age. */
export function idFloor(ms: number): string {
  const hex = Math.max(0, Math.floor(ms)).toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}`;
}
