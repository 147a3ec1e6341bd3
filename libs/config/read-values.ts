import { isIP } from 'node:net';

/** Parts of values of the environment; undefined is "not of this form". */

export interface ListenAddress {
  /** '' is every address of the machine. */
  host: string;
  /** 0 is any free port. */
  port: number;
}

export function hostAndPort(value: string, options: { emptyHost: boolean }): ListenAddress | undefined {
  const [, v6, name, port] = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9.-]*)):(\d{1,5})$/i.exec(value) ?? [];
  const host = v6 ?? name;
  if (host === undefined || port === undefined || Number(port) > 65_535) return undefined;
  if (v6 !== undefined && isIP(v6) !== 6) return undefined;
  if (host === '' && !options.emptyHost) return undefined;
  return { host, port: Number(port) };
}

export function durationMs(value: string): number | undefined {
  const [, amount, unit] = /^(\d{1,9})(ms|s|m|h|d)$/.exec(value) ?? [];
  if (amount === undefined) return undefined;
  const unitMs = Object.entries(unitsMs).find(([name]) => name === unit)?.[1];
  return unitMs === undefined ? undefined : Number(amount) * unitMs;
}

export const dayMs = 86_400_000;
const unitsMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: dayMs };

export function inRange(value: number | undefined, range: { min: number; max: number }): number | undefined {
  return value !== undefined && value >= range.min && value <= range.max ? value : undefined;
}

/** Comma-separated; '' is none. */
export function list<T>(value: string, most: number, read: (item: string) => T | undefined): readonly T[] | undefined {
  if (value === '') return [];
  const items = value.split(',').map((item) => item.trim());
  if (items.length > most) return undefined;
  const results: T[] = [];
  for (const item of items) {
    const result = read(item);
    if (result === undefined) return undefined;
    results.push(result);
  }
  return results;
}
