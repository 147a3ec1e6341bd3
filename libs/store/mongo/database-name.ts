import { StoreMisconfigured } from './opening-errors.ts';

/** The name that was given, the path of the URL (https://www.mongodb.com/docs/manual/reference/connection-string/), or `waypost`. @throws StoreMisconfigured */
export function databaseNameOf({ url, database }: { url: string; database?: string }): string {
  const name = database ?? pathOf(url) ?? 'waypost';
  if (name.length <= maxLength && !/[/\\. "$*<>:|?\0]/.test(name)) return name;
  throw new StoreMisconfigured(
    `MongoDB has no database of the name ${JSON.stringify(name)}`,
    `use at most ${maxLength} letters, digits, - and _ after the host in WAYPOST_MONGODB_URL`,
  );
}

/** MongoDB manual, naming restrictions: 63 bytes, and on Windows fewer characters than elsewhere. */
const maxLength = 63;

function pathOf(url: string): string | undefined {
  const path = /^mongodb(?:\+srv)?:\/\/[^/?]+\/([^?]+)/.exec(url)?.[1];
  if (path === undefined) return undefined;
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
