// Which time a chart shows. A Range is what the user chose; resolving it against the clock
// gives the Span that is drawn.

export const second = 1000;
export const minute = 60 * second;
export const hour = 60 * minute;
export const day = 24 * hour;

export type Range =
  | { kind: 'last'; ms: number }
  | { kind: 'fixed'; from: number; to: number }
  | { kind: 'all' };

/** [from, to) in ms. */
export interface Span {
  from: number;
  to: number;
}

export interface Preset {
  id: string;
  label: string;
  range: Range;
}

export const presets: readonly Preset[] = [
  { id: '5m', label: '5 min', range: { kind: 'last', ms: 5 * minute } },
  { id: '1h', label: '1 h', range: { kind: 'last', ms: hour } },
  { id: '24h', label: '24 h', range: { kind: 'last', ms: day } },
  { id: '7d', label: '7 d', range: { kind: 'last', ms: 7 * day } },
  { id: '30d', label: '30 d', range: { kind: 'last', ms: 30 * day } },
  { id: 'all', label: 'All', range: { kind: 'all' } },
];

export function presetOf(range: Range): string {
  const found = presets.find(
    (p) => p.range.kind === range.kind && (range.kind !== 'last' || (p.range.kind === 'last' && p.range.ms === range.ms)),
  );
  return found?.id ?? 'custom';
}

/** The narrowest span a chart zooms to. */
export const minSpan = 100;

/**
 * The span of a range now. `known` is the extent of the data, first to last ts; without any,
 * "all" is the last hour. "All" leaves a fiftieth of air on both sides, at least a second.
 */
export function resolve(range: Range, now: number, known?: Span): Span {
  switch (range.kind) {
    case 'last':
      return { from: now - range.ms, to: now };
    case 'fixed':
      return { from: range.from, to: Math.max(range.to, range.from + minSpan) };
    case 'all': {
      if (!known) return { from: now - hour, to: now };
      const air = Math.max(second, Math.round((known.to - known.from) / 50));
      return { from: known.from - air, to: known.to + air };
    }
  }
}

/** The range a fraction of its width later (or earlier, when negative). It no longer follows the clock. */
export function pan(span: Span, fraction: number): Range {
  const by = Math.round((span.to - span.from) * fraction);
  return { kind: 'fixed', from: span.from + by, to: span.to + by };
}

/** The range `factor` times as wide around the same middle. */
export function zoom(span: Span, factor: number): Range {
  const middle = (span.from + span.to) / 2;
  const half = Math.max(minSpan, (span.to - span.from) * factor) / 2;
  return { kind: 'fixed', from: Math.round(middle - half), to: Math.round(middle + half) };
}

/**
 * The range a page opens with: wide enough to show the newest point. Data that ended long ago
 * opens on everything there is.
 */
export function openingRange(newest: number | undefined, now: number): Range {
  if (newest === undefined) return { kind: 'last', ms: hour };
  const age = now - newest;
  if (age < 4 * minute) return { kind: 'last', ms: 5 * minute };
  if (age < hour / 2) return { kind: 'last', ms: hour };
  if (age < day / 2) return { kind: 'last', ms: day };
  if (age < 4 * day) return { kind: 'last', ms: 7 * day };
  return { kind: 'all' };
}

/** Whether the newest data are old enough that a page should say so. */
export const isOld = (newest: number, now: number) => now - newest > 2 * day;

export function writeRange(range: Range): string {
  switch (range.kind) {
    case 'last':
      return presets.find((p) => presetOf(range) === p.id)?.id ?? `${range.ms}ms`;
    case 'fixed':
      return `${range.from}-${range.to}`;
    case 'all':
      return 'all';
  }
}

/** Reads what writeRange wrote; undefined for anything else, as addresses are typed by people. */
export function readRange(text: string | null): Range | undefined {
  if (!text) return undefined;
  const preset = presets.find((p) => p.id === text);
  if (preset) return preset.range;
  const last = /^(\d{3,15})ms$/.exec(text);
  if (last) return { kind: 'last', ms: Number(last[1]) };
  const fixed = /^(-?\d{1,15})-(-?\d{1,15})$/.exec(text);
  if (!fixed) return undefined;
  const [from, to] = [Number(fixed[1]), Number(fixed[2])];
  return from < to ? { kind: 'fixed', from, to } : undefined;
}
