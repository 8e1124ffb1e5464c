import type { Span } from '../time/range';
import { gapOf, type Points } from './points';

const width = 200;
const height = 36;

/** The path of a line in a box, broken where there is a gap. */
export function sparkPath(points: Points, span: Span, interval: number): string {
  const min = Math.min(...points.values);
  const max = Math.max(...points.values);
  const rise = max - min || 1;
  const gap = gapOf(points, interval);
  return points.ts
    .map((ts, i) => {
      const x = ((ts - span.from) / (span.to - span.from)) * width;
      const y = max === min ? height / 2 : height - 3 - (((points.values[i] ?? 0) - min) / rise) * (height - 6);
      const starts = i === 0 || ts - (points.ts[i - 1] ?? ts) > gap;
      return `${starts ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`;
    })
    .join('');
}

interface Props {
  points: Points | undefined;
  span: Span;
  color: string;
  interval: number;
}

/** A small line without axes, for the shape only; hidden from screen readers, which have the value. */
export function Sparkline({ points, span, color, interval }: Props) {
  return (
    <svg viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" width="100%" height={height} aria-hidden="true" style={{ display: 'block', overflow: 'hidden' }}>
      {points && points.ts.length > 1 && (
        <path d={sparkPath(points, span, interval)} fill="none" stroke={color} strokeWidth={1.6} vectorEffect="non-scaling-stroke" strokeLinejoin="round" />
      )}
    </svg>
  );
}
