import { Alert, Anchor, Box, Group, Text } from '@mantine/core';
import type { CSSProperties } from 'react';
import { Link } from 'wouter';
import { isForbidden, isNotFound } from '../backend/errors';
import { useDashboard, type Dashboard } from '../backend/queries';
import { LeftIcon } from '../ui/icons';
import { Empty, Failure, Loading, PageHead } from '../ui/states';
import { ChartWidgetView } from './ChartWidgetView';
import { parseDashboard, type Place } from './schema';
import { ValueWidgetView } from './ValueWidgetView';

export function DashboardPage({ id }: { id: string }) {
  const dashboard = useDashboard(id);
  if (dashboard.data) return <Found dashboard={dashboard.data} />;
  if (isNotFound(dashboard.error) || isForbidden(dashboard.error)) {
    return (
      <Empty title="There is no such dashboard">
        <Text c="dimmed">It was deleted, or it is not yours to see.</Text>
        <Anchor component={Link} href="/dashboards">
          All dashboards
        </Anchor>
      </Empty>
    );
  }
  if (dashboard.error) return <Failure title="The dashboard could not be read" error={dashboard.error} retry={() => void dashboard.refetch()} />;
  return <Loading label="Loading the dashboard" />;
}

function Found({ dashboard }: { dashboard: Dashboard }) {
  const parsed = parseDashboard(dashboard.configuration);
  return (
    <>
      <title>{`${dashboard.title} – Tidewire`}</title>
      <Anchor component={Link} href="/dashboards" size="sm" c="dimmed">
        <Group gap={2} component="span" display="inline-flex">
          <LeftIcon size={14} /> Dashboards
        </Group>
      </Anchor>
      <PageHead title={dashboard.title} text={parsed.kind === 'ours' ? parsed.description : undefined} />
      {parsed.kind === 'foreign' && (
        <Empty title="This dashboard was made for another program">
          <Text c="dimmed" ta="center">
            Its configuration is kept as it is. docs/dashboards.md describes the form that this page can show.
          </Text>
        </Empty>
      )}
      {parsed.kind === 'broken' && (
        <Alert color="red" role="alert" title="This dashboard cannot be shown">
          {parsed.problem}
        </Alert>
      )}
      {parsed.kind === 'ours' && parsed.places.length === 0 && <Empty title="This dashboard has no widgets" />}
      {parsed.kind === 'ours' && (
        <div className="tw-grid">
          {parsed.places.map((place, i) => (
            <WidgetBox key={i} place={place} />
          ))}
        </div>
      )}
    </>
  );
}

function WidgetBox({ place }: { place: Place }) {
  const width = place.widget?.width ?? 6;
  const isValue = place.widget?.type === 'value';
  const style = {
    '--tw-width': width,
    '--tw-width-medium': isValue ? Math.max(4, width) : 12,
    '--tw-width-small': isValue ? 6 : 12,
  } as CSSProperties;
  return (
    <Box className="tw-panel" p="md" component="section" style={style} aria-label={place.widget?.title ?? 'Broken widget'}>
      {place.problem !== undefined && (
        <Text size="sm" c="red" role="alert">
          This widget cannot be shown: {place.problem}.
        </Text>
      )}
      {place.widget?.type === 'value' && <ValueWidgetView widget={place.widget} />}
      {place.widget?.type === 'chart' && <ChartWidgetView widget={place.widget} />}
    </Box>
  );
}
