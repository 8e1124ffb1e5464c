// Points of one line, as two arrays in ascending time, and the shape uPlot draws.

import type { WirePoint } from '../live/protocol';
import { drawn } from '../time/value';

export interface Points {
  ts: readonly number[];
  values: readonly number[];
}

export const noPoints: Points = { ts: [], values: [] };

/** Points of an answer in any order; what cannot be drawn is left out. */
export function toPoints(wire: readonly WirePoint[]): Points {
  const list: [number, number][] = [];
  for (const [ts, text] of wire) {
    const value = drawn(text);
    if (value !== undefined) list.push([ts, value]);
  }
  list.sort((a, b) => a[0] - b[0]);
  return { ts: list.map((p) => p[0]), values: list.map((p) => p[1]) };
}

/** Both, each instant once; where both have a value the newer list wins. */
export function merge(old: Points, newer: Points): Points {
  const first = newer.ts[0];
  if (first === undefined) return old;
  const last = old.ts.at(-1);
  if (last === undefined) return newer;
  if (last < first) return { ts: [...old.ts, ...newer.ts], values: [...old.values, ...newer.values] };
  const ts: number[] = [];
  const values: number[] = [];
  let i = 0;
  let j = 0;
  while (i < old.ts.length || j < newer.ts.length) {
    const a = old.ts[i] ?? Infinity;
    const b = newer.ts[j] ?? Infinity;
    const fromNewer = b <= a;
    ts.push(fromNewer ? b : a);
    values.push((fromNewer ? newer.values[j] : old.values[i]) ?? NaN);
    if (a <= b) i++;
    if (b <= a) j++;
  }
  return { ts, values };
}

/** The points of [from, to), and the one before `from`, to which a line is drawn from. */
export function trim(points: Points, from: number, to = Infinity): Points {
  let lo = points.ts.findIndex((ts) => ts >= from);
  if (lo < 0) lo = points.ts.length;
  lo = Math.max(0, lo - 1);
  let hi = points.ts.length;
  while (hi > lo && (points.ts[hi - 1] ?? 0) >= to) hi--;
  if (lo === 0 && hi === points.ts.length) return points;
  return { ts: points.ts.slice(lo, hi), values: points.values.slice(lo, hi) };
}

/** Replaces what `old` has from `from` on by `tail`: buckets asked for again. */
export function replaceTail(old: Points, tail: Points, from: number): Points {
  let hi = old.ts.length;
  while (hi > 0 && (old.ts[hi - 1] ?? 0) >= from) hi--;
  return { ts: [...old.ts.slice(0, hi), ...tail.ts], values: [...old.values.slice(0, hi), ...tail.values] };
}

/**
 * The silence after which a line breaks: three times the usual distance of averages, ten times
 * that of points, which need not come at a steady pace.
 */
export function gapOf(points: Points, interval: number): number {
  const distances = points.ts.slice(1).map((ts, i) => ts - (points.ts[i] ?? ts));
  if (distances.length < 2) return Infinity;
  distances.sort((a, b) => a - b);
  const median = distances[Math.floor(distances.length / 2)] ?? 0;
  return Math.max(median * (interval > 0 ? 3 : 10), interval * 2);
}

export interface AlignLine {
  points: Points;
  /** Silence longer than this breaks the line; Infinity never. */
  gap: number;
}

export type Aligned = [number[], ...(number | null | undefined)[][]];

/**
 * One time axis for all lines. `undefined` means that a line has no point there and goes on
 * through it; `null` breaks it. Times in seconds, as uPlot counts.
 */
export function alignLines(lines: readonly AlignLine[]): Aligned {
  const breaks = lines.map(({ points, gap }) =>
    points.ts.flatMap((ts, i) => {
      const before = points.ts[i - 1];
      return before !== undefined && ts - before > gap ? [(before + ts) / 2] : [];
    }),
  );
  const all = new Set<number>();
  lines.forEach(({ points }, i) => {
    for (const ts of points.ts) all.add(ts);
    for (const ts of breaks[i] ?? []) all.add(ts);
  });
  const axis = [...all].sort((a, b) => a - b);
  const place = new Map(axis.map((ts, i) => [ts, i]));
  const columns = lines.map(({ points }, i) => {
    const column = new Array<number | null | undefined>(axis.length).fill(undefined);
    for (const ts of breaks[i] ?? []) column[place.get(ts) ?? 0] = null;
    points.ts.forEach((ts, j) => {
      column[place.get(ts) ?? 0] = points.values[j];
    });
    return column;
  });
  return [axis.map((ts) => ts / 1000), ...columns];
}

/** The place of the first point at or after an instant. */
function search(points: Points, ts: number): number {
  let lo = 0;
  let hi = points.ts.length;
  while (lo < hi) {
    const mid = (lo + hi) >> 1;
    if ((points.ts[mid] ?? 0) < ts) lo = mid + 1;
    else hi = mid;
  }
  return lo;
}

/** The last point at or before an instant: what a state was then. */
export function valueBefore(points: Points, ts: number): { ts: number; value: number } | undefined {
  const at = search(points, ts + 1) - 1;
  const [t, value] = [points.ts[at], points.values[at]];
  return t === undefined || value === undefined ? undefined : { ts: t, value };
}

/** The value a line shows at an instant: its point nearest to it, at most `reach` away. */
export function valueAt(points: Points, ts: number, reach: number): { ts: number; value: number } | undefined {
  const lo = search(points, ts);
  let best: number | undefined;
  for (const i of [lo - 1, lo]) {
    const t = points.ts[i];
    if (t === undefined || Math.abs(t - ts) > reach) continue;
    if (best === undefined || Math.abs(t - ts) < Math.abs((points.ts[best] ?? 0) - ts)) best = i;
  }
  if (best === undefined) return undefined;
  return { ts: points.ts[best] ?? 0, value: points.values[best] ?? 0 };
}
