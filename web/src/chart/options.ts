import type uPlot from 'uplot';
import type { Span } from '../time/range';
import { axisLabels, axisRange, stateRange, type AxisId } from './scales';

export interface DrawnLine {
  id: string;
  label: string;
  unit?: string | undefined;
  color: string;
  axis: AxisId;
  boolean: boolean;
}

export interface ChartEvents {
  /** The user dragged over a part. */
  zoom(span: Span): void;
  /** The user moved the picture; `done` when the mouse was let go. */
  pan(span: Span, done: boolean): void;
  reset(): void;
  /** The cursor is over an instant, at these pixels of the plot; undefined when it left. */
  hover(at: { ts: number; left: number; top: number; width: number } | undefined): void;
}

export interface ChartStyle {
  text: string;
  grid: string;
  font: string;
}

/** The options of uPlot for some lines. Sizes, data and the x scale are set by the component. */
export function chartOptions(lines: readonly DrawnLine[], style: ChartStyle, compact: boolean, events: ChartEvents): uPlot.Options {
  const used = (axis: AxisId) => lines.some((line) => line.axis === axis);
  const unitOf = (axis: AxisId) => {
    const units = new Set(lines.filter((line) => line.axis === axis).map((line) => line.unit ?? ''));
    return units.size === 1 ? [...units][0] : undefined;
  };
  const y = (axis: AxisId, side: 1 | 3): uPlot.Axis => ({
    scale: axis,
    // The library's enum exists in its types only.
    // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment
    side,
    show: used(axis),
    stroke: style.text,
    font: style.font,
    // Before the first labels are made there are none, whatever the type says.
    size: (_, values: string[] | null) => Math.max(36, 14 + 7 * Math.max(0, ...(values ?? []).map((v) => v.length))),
    gap: 6,
    ticks: { show: false },
    grid: { show: axis === 'left' || !used('left'), stroke: style.grid, width: 1 },
    values: (_, ticks) => axisLabels(ticks, unitOf(axis)),
    space: compact ? 30 : 38,
  });
  const range: uPlot.Scale.Range = (_, min, max) => axisRange(min, max);
  return {
    width: 300,
    height: 200,
    padding: [10, used('right') ? 0 : 14, 0, used('left') ? 0 : 14],
    legend: { show: false },
    cursor: {
      drag: { x: true, y: false, setScale: false, dist: 4 },
      points: { size: 7 },
      y: false,
      bind: {
        // With shift the drag pans, which the component does itself.
        mousedown: (_, __, handler) => (e) => {
          if (e.button === 0 && !e.shiftKey) handler(e);
          return null;
        },
        dblclick: () => () => {
          events.reset();
          return null;
        },
      },
    },
    scales: {
      x: { time: true, auto: false },
      left: { range },
      right: { range },
      state: { range: stateRange(!used('left')) },
    },
    axes: [
      {
        stroke: style.text,
        font: style.font,
        grid: { show: false },
        ticks: { stroke: style.grid, size: 5 },
        space: compact ? 52 : 80,
        values: (_, ticks, __, ___, step) => timeLabels(ticks, step),
      },
      y('left', 3),
      y('right', 1),
      {
        ...y('state', 3),
        show: used('state') && !used('left'),
        splits: [0, 1],
        values: () => ['false', 'true'],
      },
    ],
    series: [
      {},
      ...lines.map((line): uPlot.Series => ({
        label: line.label,
        scale: line.axis,
        stroke: line.color,
        width: 1.6,
        ...(lines.length === 1 ? { fill: `${line.color}1c` } : {}),
        spanGaps: false,
      })),
    ],
    hooks: {
      setSelect: [
        (u) => {
          const { left, width } = u.select;
          if (width < 4) return;
          const span = { from: Math.round(u.posToVal(left, 'x') * 1000), to: Math.round(u.posToVal(left + width, 'x') * 1000) };
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          events.zoom(span);
        },
      ],
      setCursor: [
        (u) => {
          const { left, top } = u.cursor;
          if (left === undefined || top === undefined || left < 0) events.hover(undefined);
          else events.hover({ ts: u.posToVal(left, 'x') * 1000, left: left + u.over.offsetLeft, top: top + u.over.offsetTop, width: u.width });
        },
      ],
    },
  };
}

const pad = (n: number) => String(n).padStart(2, '0');
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** Labels of the time axis `step` seconds apart: as fine as that, with the day or year where it changes. */
export function timeLabels(ticks: readonly number[], step: number): string[] {
  let before: Date | undefined;
  return ticks.map((tick) => {
    const d = new Date(tick * 1000);
    const date = `${months[d.getMonth()] ?? ''} ${d.getDate()}`;
    let text: string;
    let context: string;
    if (step >= 360 * 86400) [text, context] = [String(d.getFullYear()), ''];
    else if (step >= 28 * 86400) [text, context] = [months[d.getMonth()] ?? '', String(d.getFullYear())];
    else if (step >= 86400) [text, context] = [date, String(d.getFullYear())];
    else if (step >= 60) [text, context] = [`${pad(d.getHours())}:${pad(d.getMinutes())}`, date];
    else if (step >= 1) [text, context] = [`${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}`, date];
    else [text, context] = [`${pad(d.getSeconds())}.${String(d.getMilliseconds()).padStart(3, '0')}`, `${pad(d.getHours())}:${pad(d.getMinutes())}`];
    const changed = !before || (step >= 86400 ? before.getFullYear() !== d.getFullYear() : before.getDate() !== d.getDate());
    before = d;
    return changed && context ? `${text}\n${context}` : text;
  });
}
