import { Alert, Box, Button, Loader, Stack, Text, useComputedColorScheme } from '@mantine/core';
import { useMediaQuery } from '@mantine/hooks';
import { useMemo, useState } from 'react';
import { formatDuration, formatRange } from '../time/format';
import type { Span } from '../time/range';
import { isDrawable } from '../time/value';
import { useNow } from '../ui/clock';
import { Failure } from '../ui/states';
import { rawLimit } from './feed';
import { Legend, Tip, type Hover } from './Legend';
import { legendLines, type PanelLine } from './lines';
import type { ChartStyle } from './options';
import { Plot } from './Plot';
import { alignLines, gapOf } from './points';
import { Toolbar } from './Toolbar';
import { useFeed } from './useFeed';
import type { View } from './view';

interface Props {
  lines: readonly PanelLine[];
  view: View;
  onView: (view: View) => void;
  height?: number;
  /** Without aggregation and interval: the widget of a dashboard. */
  compact?: boolean;
  /** Names the chart for those who cannot see it. */
  label: string;
}

/** A chart with its controls, its legend, and words for everything it cannot show. */
export function ChartPanel({ lines, view, onView, height = 340, compact = false, label }: Props) {
  const dark = useComputedColorScheme('light') === 'dark';
  const small = useMediaQuery('(max-width: 700px)');
  const [hover, setHover] = useState<Hover>();
  const [dragged, setDragged] = useState<Span>();
  useNow();

  const drawable = lines.filter((line) => isDrawable(line.type) || view.agg === 'COUNT');
  const left = lines.filter((line) => !drawable.includes(line));
  const request = {
    lines: drawable.map(({ id, entity, key, type }) => ({ id, entity, key, boolean: type === 'boolean' })),
    range: view.range,
    agg: view.agg,
    interval: view.interval,
  };
  const { feed, state } = useFeed(request);
  const now = feed.spanNow();

  const identity = JSON.stringify(drawable);
  const legend = useMemo(
    () => legendLines(JSON.parse(identity) as PanelLine[], state.points, view.agg, dark),
    [identity, state.points, view.agg, dark],
  );
  const data = useMemo(
    () => alignLines(legend.map(({ points, drawn }) => ({ points, gap: drawn.boolean ? Infinity : gapOf(points, state.interval) }))),
    [legend, state.interval],
  );
  // The middle of the interval that is still filling lies a little ahead of the clock.
  const newest = Math.max(...legend.map(({ points }) => points.ts.at(-1) ?? 0));
  const ahead = feed.live && newest > now.to && newest <= now.to + state.interval ? newest : now.to;
  const span = dragged ?? { from: now.from, to: ahead };
  const drawn = legend.map((line) => line.drawn);
  const style: ChartStyle = {
    text: dark ? '#93a1b1' : '#5f6b78',
    grid: dark ? '#222d38' : '#e8edf2',
    font: "11px 'Inter Variable', system-ui, sans-serif",
  };

  const visible = legend.some(({ points }) => points.ts.some((ts) => ts >= span.from && ts <= span.to));
  const phase = state.error ? 'error' : state.loading ? 'loading' : visible ? 'ready' : 'empty';
  const reach = state.interval > 0 ? state.interval * 1.5 : (span.to - span.from) / 40;
  const tooNarrow = view.agg !== 'NONE' && view.interval > 0 && !state.loading && state.interval !== view.interval;
  const shownHeight = small ? Math.min(height, 250) : height;

  return (
    <Stack gap="sm">
      <Toolbar view={view} span={span} interval={state.interval} compact={compact} onView={onView} />
      {state.error && <Failure title="The history could not be read" error={state.error} retry={() => void feed.load()} />}
      <Box
        className="tw-chart"
        data-testid="chart"
        data-state={phase}
        data-points={data[0].length}
        data-from={Math.round(span.from)}
        data-to={Math.round(span.to)}
        data-interval={state.interval}
        data-agg={view.agg}
        data-panning={dragged !== undefined}
        role="figure"
        aria-label={`${label}, ${formatRange(span.from, span.to)}`}
      >
        <Plot
          data={data}
          lines={drawn}
          span={span}
          height={shownHeight}
          style={style}
          compact={small}
          events={{
            zoom: ({ from, to }) => onView({ ...view, range: { kind: 'fixed', from, to: Math.max(to, from + 100) } }),
            pan: (moved, done) => {
              setDragged(done ? undefined : moved);
              if (done) onView({ ...view, range: { kind: 'fixed', ...moved } });
            },
            reset: () => onView({ ...view, range: view.home }),
            hover: setHover,
          }}
        />
        {hover && !dragged && <Tip lines={legend} hover={hover} reach={reach} interval={state.interval} />}
        {state.loading && !visible && (
          <div className="tw-chart-cover">
            <Loader size="sm" type="dots" aria-label="Loading history" />
          </div>
        )}
        {phase === 'empty' && (
          <div className="tw-chart-cover">
            <Stack gap="xs" align="center">
              <Text c="dimmed" size="sm">
                {drawable.length === 0 ? (lines.length === 0 ? 'Select a key to draw it.' : 'Nothing here can be drawn.') : 'No data in this range.'}
              </Text>
              {drawable.length > 0 && view.range.kind !== 'all' && (
                <Button
                  size="xs"
                  variant="light"
                  style={{ pointerEvents: 'auto' }}
                  onClick={() => onView({ ...view, range: { kind: 'all' }, home: { kind: 'all' } })}
                >
                  Show all data
                </Button>
              )}
            </Stack>
          </div>
        )}
      </Box>
      <Legend lines={legend} hover={hover} reach={reach} />
      {left.length > 0 && (
        <Text size="xs" c="dimmed">
          {left.map((line) => line.label).join(', ')}: text cannot be drawn; the newest value stands in the table. Count shows how often it came.
        </Text>
      )}
      {tooNarrow && (
        <Text size="xs" c="dimmed">
          {formatDuration(view.interval)} is too narrow for this range; intervals of {formatDuration(state.interval)} are shown.
        </Text>
      )}
      {state.truncated.length > 0 && (
        <Alert color="orange" role="note" p="xs">
          <Text size="xs">
            Only the newest {rawLimit.toLocaleString('en-US')} points of {state.truncated.map((id) => legend.find((l) => l.drawn.id === id)?.drawn.label ?? id).join(', ')} are shown.
            {view.agg === 'NONE' ? ' An aggregation shows the whole range.' : ''}
          </Text>
        </Alert>
      )}
    </Stack>
  );
}
