import type { Output } from './command.ts';

/** Writes to `print` (a line without its end). */
export function createOutput(json: boolean, print: (line: string) => void): Output {
  return {
    json,
    rows(rows, columns) {
      if (json) print(JSON.stringify(rows, null, 2));
      else for (const line of table(rows, columns)) print(line);
    },
    record(record) {
      if (json) print(JSON.stringify(record, null, 2));
      else for (const line of fields(record)) print(line);
    },
    say(line) {
      if (!json) print(line);
    },
  };
}

export function table(rows: readonly Readonly<Record<string, unknown>>[], columns: readonly string[]): string[] {
  const cells = rows.map((row) => columns.map((column) => printable(row[column])));
  const widths = columns.map((column, i) => Math.max(column.length, ...cells.map((row) => row[i]?.length ?? 0)));
  const line = (values: readonly string[]): string =>
    values
      .map((value, i) => value.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd();
  return [line(columns.map((column) => column.toUpperCase())), ...cells.map(line)];
}

function fields(record: Readonly<Record<string, unknown>>): string[] {
  const width = Math.max(0, ...Object.keys(record).map((name) => name.length));
  return Object.entries(record).map(([name, value]) => `${name.padEnd(width)}  ${printable(value)}`);
}

/** One line, without anything that a terminal would obey: much of it comes from senders of mail. */
export function printable(value: unknown): string {
  if (value === null || value === undefined) return '-';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ');
}
