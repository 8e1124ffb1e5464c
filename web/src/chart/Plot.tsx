import 'uplot/dist/uPlot.min.css';
import { useEffect, useLayoutEffect, useRef } from 'react';
import uPlot from 'uplot';
import type { Span } from '../time/range';
import { chartOptions, type ChartEvents, type ChartStyle, type DrawnLine } from './options';
import type { Aligned } from './points';

interface Props {
  data: Aligned;
  lines: readonly DrawnLine[];
  span: Span;
  height: number;
  style: ChartStyle;
  compact: boolean;
  events: ChartEvents;
}

const stepped = () => uPlot.paths.stepped?.({ align: 1 });

/**
 * The picture itself. uPlot is made anew when the lines or the colours change; data and span
 * are set on the one that is there.
 */
export function Plot({ data, lines, span, height, style, compact, events }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const latest = useRef({ data, span, events, height });
  const shape = JSON.stringify([lines, style, compact]);

  useLayoutEffect(() => {
    latest.current = { data, span, events, height };
  });

  useLayoutEffect(() => {
    const element = host.current;
    if (!element) return;
    const [drawnLines, drawnStyle, small] = JSON.parse(shape) as [DrawnLine[], ChartStyle, boolean];
    const options = chartOptions(drawnLines, drawnStyle, small, {
      zoom: (s) => latest.current.events.zoom(s),
      pan: (s, done) => latest.current.events.pan(s, done),
      reset: () => latest.current.events.reset(),
      hover: (at) => latest.current.events.hover(at),
    });
    options.series.forEach((series, i) => {
      const paths = drawnLines[i - 1]?.boolean ? stepped() : undefined;
      if (paths) series.paths = paths;
    });
    const size = () => ({ width: Math.max(120, element.clientWidth), height: latest.current.height });
    const u = new uPlot({ ...options, ...size() }, undefined, element);
    plot.current = u;
    draw(u, latest.current.data, latest.current.span);
    const stopPan = listenForPan(u, (s, done) => latest.current.events.pan(s, done));
    const observer = new ResizeObserver(() => u.setSize(size()));
    observer.observe(element);
    return () => {
      observer.disconnect();
      stopPan();
      u.destroy();
      plot.current = undefined;
    };
  }, [shape]);

  useEffect(() => {
    if (plot.current) draw(plot.current, data, span);
  }, [data, span, shape]);

  useEffect(() => {
    const element = host.current;
    if (plot.current && element) plot.current.setSize({ width: Math.max(120, element.clientWidth), height });
  }, [height]);

  return <div ref={host} />;
}

function draw(u: uPlot, data: Aligned, span: Span) {
  // Between two shapes the data may still have the lines of the old one.
  if (data.length !== u.series.length) return;
  u.batch(() => {
    u.setData(data, false);
    u.setScale('x', { min: span.from / 1000, max: span.to / 1000 });
  });
}

/** Shift and drag moves the picture. */
function listenForPan(u: uPlot, pan: ChartEvents['pan']): () => void {
  const stop = new AbortController();
  u.over.addEventListener(
    'pointerdown',
    (down) => {
      const { min, max } = u.scales.x ?? {};
      if (!down.shiftKey || down.button !== 0 || min === undefined || max === undefined) return;
      down.preventDefault();
      u.over.setPointerCapture(down.pointerId);
      const span = (e: PointerEvent): Span => {
        const by = ((down.clientX - e.clientX) / u.over.clientWidth) * (max - min);
        return { from: Math.round((min + by) * 1000), to: Math.round((max + by) * 1000) };
      };
      const gesture = new AbortController();
      u.over.addEventListener('pointermove', (e) => pan(span(e), false), { signal: gesture.signal });
      const end = (e: PointerEvent) => {
        gesture.abort();
        pan(span(e), true);
      };
      u.over.addEventListener('pointerup', end, { signal: gesture.signal });
      u.over.addEventListener('pointercancel', end, { signal: gesture.signal });
    },
    { signal: stop.signal },
  );
  return () => stop.abort();
}
