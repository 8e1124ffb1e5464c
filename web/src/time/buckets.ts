import { day, hour, minute, second, type Span } from './range';

export type Agg = 'NONE' | 'MIN' | 'MAX' | 'AVG' | 'SUM' | 'COUNT';

export const aggs: readonly { value: Agg; label: string }[] = [
  { value: 'NONE', label: 'None (points)' },
  { value: 'AVG', label: 'Average' },
  { value: 'MIN', label: 'Minimum' },
  { value: 'MAX', label: 'Maximum' },
  { value: 'SUM', label: 'Sum' },
  { value: 'COUNT', label: 'Count' },
];

/** The widths a person would choose; "auto" takes one of them. */
export const intervals: readonly number[] = [
  second, 2 * second, 5 * second, 10 * second, 15 * second, 30 * second,
  minute, 2 * minute, 5 * minute, 10 * minute, 15 * minute, 30 * minute,
  hour, 2 * hour, 3 * hour, 6 * hour, 12 * hour,
  day, 2 * day, 7 * day, 14 * day, 30 * day, 90 * day, 365 * day,
];

/** The server refuses a query of more buckets. */
export const maxBuckets = 700;

// Two buckets fewer: aligning a span to its interval may add one at either end.
const roomForBuckets = maxBuckets - 2;

// What a chart of usual width can show; more would only be drawn over each other.
const autoBuckets = 500;

/** The narrowest interval of the list that gives at most `autoBuckets` buckets. */
export function autoInterval(span: Span): number {
  const width = span.to - span.from;
  const found = intervals.find((interval) => width / interval <= autoBuckets);
  if (found) return found;
  const year = 365 * day;
  return Math.ceil(width / autoBuckets / year) * year;
}

/** Whether the server would answer a chart of `interval` over `span`. */
export function fits(span: Span, interval: number): boolean {
  return interval >= second && (span.to - span.from) / interval <= roomForBuckets;
}

/** The interval to ask for: the chosen one where it fits, else the automatic one. 0 chooses automatic. */
export function effectiveInterval(span: Span, chosen: number): number {
  return chosen > 0 && fits(span, chosen) ? chosen : autoInterval(span);
}

// Days and weeks should begin at midnight of the viewer, weeks on Monday: 1970-01-05 was one.
const monday = 4 * day;

/**
 * The span widened to whole intervals. Buckets begin at a query's start, so only an aligned
 * start gives the same buckets when the window moves on. `offset` is the viewer's time zone
 * (ms to add to UTC).
 */
export function align(span: Span, interval: number, offset = 0): Span {
  const origin = (interval % (7 * day) === 0 ? monday : 0) - (interval >= hour ? offset : 0);
  return {
    from: Math.floor((span.from - origin) / interval) * interval + origin,
    to: Math.ceil((span.to - origin) / interval) * interval + origin,
  };
}

/** The zone of the viewer at an instant, ms to add to UTC. */
export const zoneOffset = (ts: number) => -new Date(ts).getTimezoneOffset() * minute;
