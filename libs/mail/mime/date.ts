/**
 * Reads a Date field (RFC 5322 §3.3, with the obsolete zones and years of §4.3) to milliseconds since 1970.
 * Undefined when it is none.
 */
export function parseDateMs(value: string): number | undefined {
  const match = DATE.exec(value.slice(0, 128).trim());
  if (!match) return undefined;
  const [, day = '', monthName = '', yearText = '', hour = '', minute = '', second = '0', zone = ''] = match;
  const month = MONTHS.indexOf(monthName.toLowerCase());
  const year = fullYear(yearText);
  const date = new Date(0);
  date.setUTCFullYear(year, month, Number(day));
  date.setUTCHours(Number(hour), Number(minute), Math.min(Number(second), 59)); // a leap second has no millisecond of its own
  const isReal =
    date.getUTCMonth() === month && date.getUTCHours() === Number(hour) && date.getUTCMinutes() === Number(minute);
  if (month === -1 || !isReal || Number(second) > 60) return undefined;
  return date.getTime() - offsetMs(zone);
}

const DATE =
  /^(?:[A-Za-z]{2,9}\.?,?\s{0,9})?(\d{1,2})[\s-]{1,9}([A-Za-z]{3})[A-Za-z]{0,6}\.?[\s-]{1,9}(\d{2,4})\s{1,9}(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\.\d{1,9})?(?:\s{0,9}([+-]\d{4}|[A-Za-z]{1,5}))?/;
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const AMERICAN_ZONES: Record<string, number> = {
  EDT: -4,
  EST: -5,
  CDT: -5,
  CST: -6,
  MDT: -6,
  MST: -7,
  PDT: -7,
  PST: -8,
};

function fullYear(text: string): number {
  const year = Number(text);
  if (text.length === 2) return year < 50 ? 2000 + year : 1900 + year;
  return text.length === 3 ? 1900 + year : year;
}

/** RFC 5322 §4.3: zones that aren't known count as UTC. */
function offsetMs(zone: string): number {
  if (!/^[+-]/.test(zone)) return (AMERICAN_ZONES[zone.toUpperCase()] ?? 0) * 3_600_000;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3));
  return (zone.startsWith('-') ? -minutes : minutes) * 60_000;
}
