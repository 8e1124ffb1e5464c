import { Text } from '@mantine/core';
import { formatBucket, formatTime } from '../time/format';
import { lineAt, valueText, type LegendLine } from './lines';

export interface Hover {
  ts: number;
  left: number;
  top: number;
  width: number;
}

/** The lines with the value under the cursor, or else the newest one. */
export function Legend({ lines, hover, reach }: { lines: readonly LegendLine[]; hover: Hover | undefined; reach: number }) {
  return (
    <ul className="tw-legend" style={{ listStyle: 'none', margin: 0, padding: 0 }} aria-label="Lines">
      {lines.map((line) => {
        const value = hover ? lineAt(line, hover.ts, reach)?.value : line.points.values.at(-1);
        const { id, color, label, axis } = line.drawn;
        return (
          <li key={id} className="tw-legend-item">
            <span className="tw-swatch" style={{ background: color }} />
            <span>{label}</span>
            <Text span fz={13} fw={600} className="tw-num" data-testid={`legend-${label}`}>
              {valueText(line, value)}
            </Text>
            {axis === 'right' && (
              <Text span fz={12} c="dimmed">
                right axis
              </Text>
            )}
          </li>
        );
      })}
    </ul>
  );
}

/** The box beside the cursor. */
export function Tip({ lines, hover, reach, interval }: { lines: readonly LegendLine[]; hover: Hover; reach: number; interval: number }) {
  const near = lines.flatMap((line) => {
    const at = lineAt(line, hover.ts, reach);
    return at ? [{ line, at }] : [];
  });
  const first = near[0];
  if (!first) return null;
  const distance = (each: typeof first) => Math.abs(each.at.ts - hover.ts);
  const nearest = near.reduce((a, b) => (distance(a) <= distance(b) ? a : b), first);
  const right = hover.left > hover.width * 0.6;
  return (
    <div
      className="tw-chart-tip"
      style={{ top: 12, ...(right ? { right: hover.width - hover.left + 14 } : { left: hover.left + 14 }) }}
      data-testid="chart-tip"
    >
      <Text fz={11} c="dimmed" className="tw-num">
        {nearest.line.drawn.boolean ? formatTime(Math.round(hover.ts)) : formatBucket(nearest.at.ts, interval)}
      </Text>
      {near.map(({ line, at }) => (
        <div key={line.drawn.id} className="tw-legend-item" style={{ display: 'flex' }}>
          <span className="tw-swatch" style={{ background: line.drawn.color }} />
          <span style={{ flex: 1 }}>{line.drawn.label}</span>
          <b className="tw-num">{valueText(line, at.value)}</b>
        </div>
      ))}
    </div>
  );
}
