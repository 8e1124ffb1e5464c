import { Text } from '@mantine/core';
import { formatNumber } from '../time/format';
import { formatTime } from '../time/format';
import type { DrawnLine } from './options';
import { valueAt, type Points } from './points';

export interface LegendLine extends DrawnLine {
  points: Points;
  note?: string | undefined;
}

export interface Hover {
  ts: number;
  left: number;
  top: number;
  width: number;
}

export function valueText(line: DrawnLine, value: number | undefined): string {
  if (value === undefined) return '–';
  if (line.boolean) return value === 0 ? 'false' : 'true';
  return formatNumber(value) + (line.unit ? ` ${line.unit}` : '');
}

/** The lines with the value under the cursor, or else the newest one. */
export function Legend({ lines, hover, reach }: { lines: readonly LegendLine[]; hover: Hover | undefined; reach: number }) {
  return (
    <ul className="tw-legend" style={{ listStyle: 'none', margin: 0, padding: 0 }} aria-label="Lines">
      {lines.map((line) => {
        const at = hover ? valueAt(line.points, hover.ts, reach)?.value : line.points.values.at(-1);
        return (
          <li key={line.id} className="tw-legend-item">
            <span className="tw-swatch" style={{ background: line.color }} />
            <span>{line.label}</span>
            <Text span fz={13} fw={600} className="tw-num" data-testid={`legend-${line.label}`}>
              {valueText(line, at)}
            </Text>
            {line.note && (
              <Text span fz={12} c="dimmed">
                {line.note}
              </Text>
            )}
          </li>
        );
      })}
    </ul>
  );
}

/** The box beside the cursor. */
export function Tip({ lines, hover, reach }: { lines: readonly LegendLine[]; hover: Hover; reach: number }) {
  const near = lines.map((line) => ({ line, at: valueAt(line.points, hover.ts, reach) })).filter(({ at }) => at !== undefined);
  if (near.length === 0) return null;
  const nearest = near.reduce((a, b) => (Math.abs((a.at?.ts ?? 0) - hover.ts) <= Math.abs((b.at?.ts ?? 0) - hover.ts) ? a : b));
  const right = hover.left > hover.width * 0.6;
  return (
    <div
      className="tw-chart-tip"
      style={{ top: 12, ...(right ? { right: hover.width - hover.left + 14 } : { left: hover.left + 14 }) }}
      data-testid="chart-tip"
    >
      <Text fz={11} c="dimmed" className="tw-num">
        {formatTime(nearest.at?.ts ?? hover.ts)}
      </Text>
      {near.map(({ line, at }) => (
        <div key={line.id} className="tw-legend-item" style={{ display: 'flex' }}>
          <span className="tw-swatch" style={{ background: line.color }} />
          <span style={{ flex: 1 }}>{line.label}</span>
          <b className="tw-num">{valueText(line, at?.value)}</b>
        </div>
      ))}
    </div>
  );
}
