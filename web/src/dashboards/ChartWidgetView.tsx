import { Stack, Title } from '@mantine/core';
import { useState } from 'react';
import { useQueries } from '@tanstack/react-query';
import { typedLatestQuery } from '../backend/queries';
import { ChartPanel } from '../chart/ChartPanel';
import type { PanelLine } from '../chart/lines';
import type { View } from '../chart/view';
import { typeOfTyped } from '../time/value';
import { Loading } from '../ui/states';
import type { ChartWidget } from './schema';

/** A chart of a dashboard. What the viewer changes lasts as long as the page. */
export function ChartWidgetView({ widget }: { widget: ChartWidget }) {
  const [view, setView] = useState<View>({ range: widget.window, home: widget.window, agg: widget.agg, interval: widget.interval });
  const entities = [...new Map(widget.series.map((s) => [s.entity.id, s.entity])).values()];
  const types = useQueries({
    queries: entities.map((entity) => typedLatestQuery(entity, widget.series.filter((s) => s.entity.id === entity.id).map((s) => s.key))),
  });
  const pending = types.some((t) => t.isPending && t.fetchStatus !== 'idle');
  const lines = widget.series.map((series, i): PanelLine => {
    const typed = types[entities.findIndex((e) => e.id === series.entity.id)]?.data?.[series.key];
    // A key without a value yet is most likely a number; it is drawn as soon as it comes.
    const type = typed === undefined || typed === null ? 'number' : typeOfTyped(typed, null);
    return { id: `${i}`, type, color: i, ...series };
  });
  return (
    <Stack gap="sm">
      <Title order={2}>{widget.title}</Title>
      {pending ? <Loading label="Loading history" /> : <ChartPanel lines={lines} view={view} onView={setView} height={widget.height} compact={widget.width < 8} label={widget.title} />}
    </Stack>
  );
}
