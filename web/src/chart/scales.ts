// Which y axis a line belongs to: left, or right when it would be squashed on the left.
// Booleans have a strip of their own at the bottom.

import type { Points } from './points';

export type AxisId = 'left' | 'right' | 'state';

export interface ScaleLine {
  points: Points;
  unit?: string | undefined;
  boolean?: boolean;
}

interface Extent {
  min: number;
  max: number;
}

function extentOf({ points }: ScaleLine): Extent | undefined {
  let min = Infinity;
  let max = -Infinity;
  for (const value of points.values) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return min <= max ? { min, max } : undefined;
}

const union = (a: Extent, b: Extent): Extent => ({ min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) });

/** A flat line is treated as if it varied by a tenth of its size, which is how it is drawn. */
const width = (e: Extent) => Math.max(e.max - e.min, Math.abs(e.max) / 10, 1e-9);

// A line that would fill less than this share of a common axis gets the other one.
const leastShare = 0.15;

function fits(axis: Extent, line: Extent): boolean {
  const common = width(union(axis, line));
  return width(axis) / common >= leastShare && width(line) / common >= leastShare;
}

/**
 * Gives each line an axis. Lines of one unit stay together; otherwise a line joins the first
 * axis on which neither it nor what is there becomes a flat stripe.
 */
export function assignAxes(lines: readonly ScaleLine[]): AxisId[] {
  const axes: Partial<Record<AxisId, Extent>> = {};
  const units = new Map<string, AxisId>();
  return lines.map((line) => {
    if (line.boolean) return 'state';
    const extent = extentOf(line);
    const known = line.unit ? units.get(line.unit) : undefined;
    const { left } = axes;
    let axis: AxisId = known ?? 'left';
    if (!known && extent && left && !fits(left, extent)) axis = 'right';
    const there = axes[axis];
    if (extent) axes[axis] = there ? union(there, extent) : extent;
    if (line.unit) units.set(line.unit, axis);
    return axis;
  });
}

/** The range of an axis: the data with a little air; zero is kept where it is near. */
export function axisRange(min: number | null, max: number | null): [number, number] {
  if (min === null || max === null || !Number.isFinite(min) || !Number.isFinite(max)) return [0, 1];
  if (min === max) {
    const air = min === 0 ? 1 : Math.abs(min) / 20;
    return [min - air, max + air];
  }
  const air = (max - min) * 0.08;
  const low = min >= 0 && min - air < (max - min) * 0.1 ? 0 : min - air;
  const high = max <= 0 && max + air > -(max - min) * 0.1 ? 0 : max + air;
  return [low, high];
}

/** The range of booleans: the lowest fifth beside numbers, the whole height without. */
export const stateRange = (alone: boolean): [number, number] => (alone ? [-0.15, 1.15] : [-0.1, 5]);

const suffixes = ['', ' k', ' M', ' G', ' T', ' P'];

/** Labels of an axis: all with one suffix, with as many digits as tell neighbours apart. */
export function axisLabels(ticks: readonly number[], unit = ''): string[] {
  const size = Math.max(...ticks.map(Math.abs));
  const step = Math.abs((ticks[1] ?? 0) - (ticks[0] ?? 0)) || size;
  const power = size >= 1e5 && size < 1e18 ? Math.min(suffixes.length - 1, Math.floor(Math.log10(size) / 3)) : 0;
  const scale = 1000 ** power;
  let digits = 0;
  const off = (tick: number) => Math.abs(Number((tick / scale).toFixed(digits)) - tick / scale);
  while (digits < 12 && ticks.some((tick) => off(tick) > (step / scale) * 1e-3)) digits++;
  const plain = size < 1e18 && step / scale >= 1e-12;
  return ticks.map((tick) => {
    const text = plain ? (tick / scale).toFixed(digits) : tick.toExponential(2);
    const number = /^-?0(\.0+)?$/.test(text) ? '0' : digits > 0 && text.includes('.') ? text.replace(/\.?0+$/, '') : text;
    const suffix = number === '0' ? '' : suffixes[power] ?? '';
    return number + (suffix || unit ? suffix || ' ' : '') + unit;
  });
}
