import type { EntityId } from '../live/protocol';
import type { Agg } from '../time/buckets';
import { formatQuantity } from '../time/format';
import type { ValueType } from '../time/value';
import type { DrawnLine } from './options';
import { lineColor } from './palette';
import { noPoints, valueAt, valueBefore, type Points } from './points';
import { assignAxes } from './scales';

/** A line as a page asks for it. */
export interface PanelLine {
  id: string;
  entity: EntityId;
  key: string;
  label: string;
  unit?: string | undefined;
  type: ValueType;
  /** Which colour of the palette; lines that are not drawn keep theirs. */
  color: number;
}

/** A line as it is drawn, with its points. */
export interface LegendLine {
  drawn: DrawnLine;
  points: Points;
}

/** Gives each line its points, colour and axis. Counts have no unit and are no booleans. */
export function legendLines(lines: readonly PanelLine[], points: ReadonlyMap<string, Points>, agg: Agg, dark: boolean): LegendLine[] {
  const counted = agg === 'COUNT';
  const shaped = lines.map((line) => ({
    points: points.get(line.id) ?? noPoints,
    unit: counted ? undefined : line.unit,
    boolean: line.type === 'boolean' && !counted,
  }));
  const axes = assignAxes(shaped);
  return shaped.map((shape, i) => ({
    points: shape.points,
    drawn: {
      id: lines[i]?.id ?? '',
      label: lines[i]?.label ?? '',
      unit: shape.unit,
      color: lineColor(lines[i]?.color ?? i, dark),
      axis: axes[i] ?? 'left',
      boolean: shape.boolean,
    },
  }));
}

/** What a line says at an instant: a boolean holds until it changes, a number is that of the nearest point. */
export function lineAt({ points, drawn }: LegendLine, ts: number, reach: number): { ts: number; value: number } | undefined {
  return drawn.boolean ? valueBefore(points, ts) : valueAt(points, ts, reach);
}

export function valueText({ drawn }: LegendLine, value: number | undefined): string {
  if (value === undefined) return '–';
  if (drawn.boolean) return value === 0 ? 'false' : 'true';
  return formatQuantity(value, drawn.unit);
}
