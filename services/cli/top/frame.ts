import { printable, table } from '../output.ts';
import type { Snapshot } from './snapshot.ts';

/** A frame as plain lines, none longer or more than the terminal has. Rates are those since `before`. */
export function frameLines(
  now: Snapshot,
  before: Snapshot | undefined,
  { columns, rows, trouble }: { columns: number; rows: number; trouble?: string },
): string[] {
  const head = [
    `waypost queue  ${now.asOf}  ${now.destinationCount} destinations${oldest(now)}`,
    trouble === undefined ? '' : `! ${printable(trouble)}`,
    ...states(now, before),
    '',
  ];
  const errorLines =
    now.errors.length === 0 ? [] : ['', 'LAST ERRORS', ...now.errors.slice(0, errorsShown).map(errorLine)];
  const room = Math.max(2, rows - head.length - errorLines.length);
  return [...head, ...destinations(now).slice(0, room), ...errorLines]
    .slice(0, rows)
    .map((line) => (line.length > columns ? `${line.slice(0, columns - 1)}…` : line));
}

const errorsShown = 5;

function oldest({ oldestDueAt, asOf }: Snapshot): string {
  if (oldestDueAt === null) return '';
  const lateS = Math.round((Date.parse(asOf) - Date.parse(oldestDueAt)) / 1000);
  return lateS > 0 ? `  oldest due for ${spoken(lateS)}` : `  next due in ${spoken(-lateS)}`;
}

function spoken(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`;
}

/** How many are in each state, and how that has changed. */
function states(now: Snapshot, before: Snapshot | undefined): string[] {
  const names = Object.keys(now.byState);
  const seconds = before === undefined ? 0 : (Date.parse(now.asOf) - Date.parse(before.asOf)) / 1000;
  const rate = (name: string): string => {
    if (before === undefined || seconds <= 0) return '-';
    const change = ((now.byState[name] ?? 0) - (before.byState[name] ?? 0)) / seconds;
    return `${change > 0 ? '+' : ''}${change.toFixed(1)}/s`;
  };
  const cells = names.map((name) => ({ name, many: String(now.byState[name]), rate: rate(name) }));
  const line = (of: (cell: (typeof cells)[number]) => string): string =>
    cells.map((cell) => of(cell).padStart(Math.max(9, cell.name.length))).join(' ');
  return [line(({ name }) => name.toUpperCase()), line(({ many }) => many), line(({ rate }) => rate)];
}

function destinations({ destinations: known }: Snapshot): string[] {
  if (known === undefined) return ['(this server does not list destinations)'];
  if (known.length === 0) return ['(nothing waits for a destination outside)'];
  return table(
    known.map((destination) => ({ ...destination })),
    ['name', 'group', 'ready', 'deferred', 'leased', 'held', 'stopped'],
  );
}

const errorLine = ({ at, recipient, reply }: Snapshot['errors'][number]): string =>
  `${at}  ${printable(recipient)}  ${printable(reply)}`;
