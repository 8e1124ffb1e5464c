import { Group, Progress, Skeleton, Stack, Text, useComputedColorScheme } from '@mantine/core';
import { useTypedLatest } from '../backend/queries';
import { useLatest } from '../backend/services';
import { lineColor } from '../chart/palette';
import { Sparkline } from '../chart/Sparkline';
import { useFeed } from '../chart/useFeed';
import { formatQuantity } from '../time/format';
import type { Range } from '../time/range';
import { formatValue, isNumeric, typeOfText, typeOfTyped, type ValueType } from '../time/value';
import { Age } from '../ui/Age';
import { useNow } from '../ui/clock';
import type { ValueWidget } from './schema';

/** The newest value of one key, with a bar and a line of its past where asked for. */
export function ValueWidgetView({ widget }: { widget: ValueWidget }) {
  const { entity, key, min, max, window } = widget;
  const { loaded, values, error } = useLatest({ type: 'TIMESERIES', entity });
  const typed = useTypedLatest(entity, [key]);
  const latest = values.get(key);
  const type = typed.data ? typeOfTyped(typed.data[key], latest?.value ?? null) : typeOfText(latest?.value ?? null);
  const share = latest && isNumeric(type) && min !== undefined && max !== undefined ? (Number(latest.value) - min) / (max - min) : undefined;
  const [number, suffix] = quantity(latest?.value ?? null, type, widget);
  return (
    <Stack gap={6} h="100%">
      <Group justify="space-between" gap="xs" wrap="nowrap">
        <Text size="sm" c="dimmed" fw={550} lineClamp={2} component="h2" m={0}>
          {widget.title}
        </Text>
        {latest && (
          <Text size="xs" c="dimmed" span style={{ whiteSpace: 'nowrap' }}>
            <Age ts={latest.ts} />
          </Text>
        )}
      </Group>
      {!loaded && !error ? (
        <Skeleton h={36} w="60%" />
      ) : (
        <div className={`tw-card-value${isNumeric(type) ? ' tw-num' : ''}`} data-testid={`value-${key}`}>
          {number}
          {suffix && (
            <Text span fz="0.55em" fw={550} c="dimmed" ml={4}>
              {suffix}
            </Text>
          )}
        </div>
      )}
      {error && (
        <Text size="xs" c="red" role="alert">
          {error}
        </Text>
      )}
      {loaded && !latest && !error && (
        <Text size="xs" c="dimmed">
          No value of “{key}” yet.
        </Text>
      )}
      {share !== undefined && <Progress value={Math.min(1, Math.max(0, share)) * 100} size="sm" aria-label={`${widget.title}, share of its range`} mt="auto" />}
      {window && latest && isNumeric(type) && <Past widget={widget} window={window} />}
    </Stack>
  );
}

/** The value and what stands small behind it. Large byte counts change their unit. */
function quantity(value: string | null, type: ValueType, { unit, decimals }: ValueWidget): [string, string | undefined] {
  if (value === null) return ['–', undefined];
  if (unit?.startsWith('B') && isNumeric(type)) {
    const [number = '', suffix] = formatQuantity(Number(value), unit).split(' ');
    return [number, suffix];
  }
  return [formatValue(value, type, decimals), unit];
}

function Past({ widget, window }: { widget: ValueWidget; window: Range }) {
  const dark = useComputedColorScheme('light') === 'dark';
  useNow();
  const { feed, state } = useFeed({ lines: [{ id: 'past', entity: widget.entity, key: widget.key }], range: window, agg: 'AVG', interval: 0 });
  return <Sparkline points={state.points.get('past')} span={feed.spanNow()} color={lineColor(0, dark)} interval={state.interval} />;
}
