import { Alert, Box, Button, Group, Text, useComputedColorScheme } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { useMemo, useState } from 'react';
import { useSearchParams } from 'wouter';
import { fetchHistoryCsv, timeBounds, useCredentials, useTypedLatest, type DeviceInfo } from '../backend/queries';
import { useLatest } from '../backend/services';
import { ChartPanel } from '../chart/ChartPanel';
import { readView, sameRange, writeView, type View } from '../chart/view';
import { formatAge, formatTime } from '../time/format';
import { isOld, openingRange, resolve, type Range } from '../time/range';
import { useNow } from '../ui/clock';
import { Code } from '../ui/Code';
import { saveFile } from '../ui/download';
import { ClockIcon, DevicesIcon } from '../ui/icons';
import { Empty, Failure, Loading } from '../ui/states';
import { curlCommand } from './commands';
import { keyRows, newestTs, openingKey, unitOf, type KeyRow } from './keys';
import { LatestTable } from './LatestTable';

/** The values of a device and the chart of those that are chosen. */
export function TelemetryTab({ device }: { device: DeviceInfo }) {
  const { loaded, values, error } = useLatest({ type: 'TIMESERIES', entity: device.id });
  const keys = useMemo(() => [...values.keys()].sort(), [values]);
  const typed = useTypedLatest(device.id, keys);
  const rows = useMemo(() => keyRows(values, typed.data), [values, typed.data]);
  if (error) {
    return (
      <Alert color="red" role="alert" title="The values could not be read">
        {error}
      </Alert>
    );
  }
  if (!loaded) return <Loading label="Loading values" />;
  if (rows.length === 0) return <NoValues deviceId={device.id.id} />;
  // Types decide what a chart draws, so they are awaited once.
  if (typed.isPending) return <Loading label="Loading values" />;
  return <Values device={device} rows={rows} />;
}

function Values({ device, rows }: { device: DeviceInfo; rows: readonly KeyRow[] }) {
  const dark = useComputedColorScheme('light') === 'dark';
  const now = useNow();
  const [params, setParams] = useSearchParams();
  const newest = newestTs(rows);
  const [opening] = useState<Range>(() => openingRange(newest, now));
  const [openingSelection] = useState(() => openingKey(rows));

  const view = readView(params, { range: opening, home: opening, agg: 'AVG', interval: 0 });
  const [home, setHome] = useState(view.home);
  const shown = { ...view, home };
  const onView = (next: View) => {
    setHome(next.home);
    setParams((before) => writeView(before, next), { replace: true });
  };

  const chosen = params.has('keys') ? params.getAll('keys').filter(Boolean) : openingSelection ? [openingSelection] : [];
  const selected = chosen.filter((key) => rows.some((row) => row.key === key));
  const onSelect = (keys: string[]) =>
    setParams(
      (before) => {
        const next = new URLSearchParams(before);
        next.delete('keys');
        for (const key of keys.length > 0 ? keys : ['']) next.append('keys', key);
        return next;
      },
      { replace: true },
    );

  // What is drawn may be aggregated; the file has every point of the range.
  const csv = useMutation({
    mutationFn: () => fetchHistoryCsv(device.id, selected, shown.range.kind === 'all' ? timeBounds : resolve(shown.range, now)),
    onSuccess: (blob) => saveFile(blob, `${device.name}.csv`),
  });

  const lines = selected.map((key, color) => ({
    id: key,
    entity: device.id,
    key,
    label: key,
    unit: unitOf(key),
    color,
    type: rows.find((row) => row.key === key)?.type ?? ('none' as const),
  }));
  return (
    <>
      {newest !== undefined && isOld(newest, now) && (
        <Alert color="tide" role="note" icon={<ClockIcon />} mb="md" p="sm" data-testid="old-data">
          <Group justify="space-between" gap="sm">
            <Text size="sm">
              The newest value is from {formatTime(newest)}, {formatAge(newest, now)}.
            </Text>
            {!sameRange(shown.range, { kind: 'all' }) && (
              <Button size="xs" variant="light" onClick={() => onView({ ...shown, range: { kind: 'all' }, home: { kind: 'all' } })}>
                Show all data
              </Button>
            )}
          </Group>
        </Alert>
      )}
      <div className="tw-device">
        <Box className="tw-panel" p="md" component="section" aria-label="History">
          <ChartPanel lines={lines} view={shown} onView={onView} height={380} label={`${device.name}: ${selected.join(', ') || 'nothing selected'}`} />
          <Group justify="flex-end" mt="xs">
            <Button size="xs" variant="default" disabled={selected.length === 0} loading={csv.isPending} onClick={() => csv.mutate()}>
              Download CSV
            </Button>
          </Group>
          {csv.error && <Failure title="The history could not be downloaded" error={csv.error} />}
        </Box>
        <Box className="tw-panel" component="section" aria-label="Values">
          <LatestTable rows={rows} selected={selected} dark={dark} onSelect={onSelect} />
        </Box>
      </div>
    </>
  );
}

function NoValues({ deviceId }: { deviceId: string }) {
  const credentials = useCredentials(deviceId, true);
  const token = credentials.data?.credentialsType === 'ACCESS_TOKEN' ? credentials.data.credentialsId : 'TOKEN';
  return (
    <Box className="tw-panel">
      <Empty title="No values yet" icon={<DevicesIcon size={36} />}>
        <Text c="dimmed" ta="center">
          This page moves as soon as the first one arrives. Send it, for instance like this:
        </Text>
        <Box w="100%" mt="sm">
          <Code text={curlCommand(window.location.origin, token)} label="curl command" testId="device-curl" />
        </Box>
      </Empty>
    </Box>
  );
}
