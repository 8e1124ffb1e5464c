// Which keys of a device the chart opens with.

import type { Latest } from '../live/latest';
import { isDrawable, isNumeric, typeOfText, typeOfTyped, type ValueType } from '../time/value';

export interface KeyRow extends Latest {
  key: string;
  type: ValueType;
}

/** The keys in alphabetical order with their types: by the server's typed answer where it is known. */
export function keyRows(values: ReadonlyMap<string, Latest>, typed: Record<string, unknown> | undefined): KeyRow[] {
  return [...values]
    .map(([key, latest]) => ({
      key,
      ...latest,
      type: typed && key in typed ? typeOfTyped(typed[key], latest.value) : typeOfText(latest.value),
    }))
    .sort((a, b) => a.key.localeCompare(b.key, 'en', { numeric: true }));
}

// What people look for first, in this order.
const telling = [/^cpu/i, /temp/i, /usage|percent|level/i, /humid|pressure|power|voltage|current|speed|flow/i];

/** The key to draw first: one that tells something, else a number, else anything that can be drawn. */
export function openingKey(rows: readonly KeyRow[]): string | undefined {
  const numbers = rows.filter((row) => isNumeric(row.type));
  for (const pattern of telling) {
    const found = numbers.find((row) => pattern.test(row.key));
    if (found) return found.key;
  }
  return (numbers[0] ?? rows.find((row) => isDrawable(row.type)))?.key;
}

export const newestTs = (rows: readonly KeyRow[]): number | undefined =>
  rows.length > 0 ? Math.max(...rows.map((row) => row.ts)) : undefined;

/** The unit a key's name tells for certain; telemetry itself carries none. */
export function unitOf(key: string): string | undefined {
  if (/percent(age)?$|_pct$/i.test(key)) return '%';
  if (/bytes$/i.test(key)) return 'B';
  if (/bytes_per_s(ec(ond)?)?$/i.test(key)) return 'B/s';
  return undefined;
}
