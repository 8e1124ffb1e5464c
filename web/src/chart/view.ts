import { aggs, type Agg } from '../time/buckets';
import { readRange, writeRange, type Range } from '../time/range';

/** What a chart shows, as the user left it. */
export interface View {
  range: Range;
  /** Where reset leads: the range last chosen by name, not by zooming. */
  home: Range;
  agg: Agg;
  /** Width of buckets in ms; 0 is automatic. */
  interval: number;
}

export const sameRange = (a: Range, b: Range) => writeRange(a) === writeRange(b);

/** Reads a view from the address of the page; what is missing or wrong comes from `fallback`. */
export function readView(params: URLSearchParams, fallback: View): View {
  const range = readRange(params.get('range'));
  const agg = aggs.find((a) => a.value === params.get('agg'))?.value;
  const interval = /^\d{1,12}$/.exec(params.get('interval') ?? '');
  return {
    range: range ?? fallback.range,
    home: range && range.kind !== 'fixed' ? range : fallback.home,
    agg: agg ?? fallback.agg,
    interval: interval ? Number(interval[0]) : fallback.interval,
  };
}

export function writeView(params: URLSearchParams, view: View): URLSearchParams {
  const next = new URLSearchParams(params);
  next.set('range', writeRange(view.range));
  next.set('agg', view.agg);
  if (view.interval > 0) next.set('interval', String(view.interval));
  else next.delete('interval');
  return next;
}
