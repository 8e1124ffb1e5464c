import { ActionIcon, Box, Button, Group, NativeSelect, SegmentedControl, Tooltip } from '@mantine/core';
import type { ReactNode } from 'react';
import { aggs, fits, intervals, type Agg } from '../time/buckets';
import { formatDuration } from '../time/format';
import { pan, presetOf, presets, zoom, type Range, type Span } from '../time/range';
import { LeftIcon, MinusIcon, PlusIcon, ResetIcon, RightIcon } from '../ui/icons';
import { CustomRange } from './CustomRange';
import { sameRange, type View } from './view';

interface Props {
  view: View;
  span: Span;
  /** Width of the buckets in use, 0 for points. */
  interval: number;
  compact: boolean;
  onView: (view: View) => void;
}

/** Range, aggregation, interval, and the buttons that do what the mouse does on the chart. */
export function Toolbar({ view, span, interval, compact, onView }: Props) {
  const choose = (range: Range) => onView({ ...view, range, home: range });
  const move = (range: Range) => onView({ ...view, range });
  const choosePreset = (id: string) => {
    const preset = presets.find((p) => p.id === id);
    if (preset) choose(preset.range);
  };
  const live = view.range.kind === 'last';
  return (
    <Group gap="xs" justify="space-between" role="group" aria-label="Chart controls">
      <Group gap="xs">
        {compact ? (
          <NativeSelect size="xs" aria-label="Range" value={presetOf(view.range)} onChange={(e) => choosePreset(e.currentTarget.value)}>
            {presets.map((p) => (
              <option key={p.id} value={p.id}>
                {p.label}
              </option>
            ))}
            {presetOf(view.range) === 'custom' && <option value="custom">Custom</option>}
          </NativeSelect>
        ) : (
          <>
            <SegmentedControl
              size="xs"
              aria-label="Range"
              data={presets.map((p) => ({ value: p.id, label: p.label }))}
              value={presetOf(view.range)}
              onChange={choosePreset}
            />
            <CustomRange active={view.range.kind === 'fixed'} span={span} onRange={choose} />
          </>
        )}
      </Group>
      <Group gap="xs">
        {!compact && (
          <>
            <Field label="Aggregation">
              <NativeSelect
                size="xs"
                aria-label="Aggregation"
                data={aggs.map((a) => ({ ...a }))}
                value={view.agg}
                onChange={(e) => onView({ ...view, agg: e.currentTarget.value as Agg })}
              />
            </Field>
            <Field label="Interval">
              <NativeSelect
                size="xs"
                aria-label="Interval"
                disabled={view.agg === 'NONE'}
                value={String(view.interval)}
                onChange={(e) => onView({ ...view, interval: Number(e.currentTarget.value) })}
              >
                <option value="0">{interval > 0 && view.interval === 0 ? `Auto (${formatDuration(interval)})` : 'Auto'}</option>
                {intervals.map((ms) => (
                  <option key={ms} value={ms} disabled={!fits(span, ms)}>
                    {formatDuration(ms)}
                  </option>
                ))}
              </NativeSelect>
            </Field>
          </>
        )}
        <ActionIcon.Group>
          <Step label="Earlier" onClick={() => move(pan(span, -0.5))}>
            <LeftIcon size={15} />
          </Step>
          <Step label="Zoom out" onClick={() => move(zoom(span, 2))}>
            <MinusIcon size={15} />
          </Step>
          <Step label="Zoom in" onClick={() => move(zoom(span, 0.5))}>
            <PlusIcon size={15} />
          </Step>
          <Step label="Later" onClick={() => move(pan(span, 0.5))}>
            <RightIcon size={15} />
          </Step>
          <Step label="Reset zoom" onClick={() => move(view.home)} disabled={sameRange(view.range, view.home)}>
            <ResetIcon size={15} />
          </Step>
        </ActionIcon.Group>
        <Tooltip label={live ? 'Following the clock; press to hold' : 'Follow the clock'} withArrow>
          <Button
            size="xs"
            variant={live ? 'light' : 'default'}
            color={live ? 'teal' : undefined}
            aria-pressed={live}
            leftSection={<span className="tw-dot" data-beat={live} style={{ width: 7, height: 7 }} />}
            onClick={() => {
              if (live) move({ kind: 'fixed', from: Math.round(span.from), to: Math.round(span.to) });
              else choose(view.home.kind === 'last' ? view.home : { kind: 'last', ms: 3_600_000 });
            }}
          >
            Live
          </Button>
        </Tooltip>
      </Group>
    </Group>
  );
}

function Field({ label, children }: { label: string; children: ReactNode }) {
  return (
    <Group gap={6} wrap="nowrap">
      <Box fz={12} c="dimmed" visibleFrom="xl" aria-hidden>
        {label}
      </Box>
      {children}
    </Group>
  );
}

function Step({ label, onClick, disabled, children }: { label: string; onClick: () => void; disabled?: boolean; children: ReactNode }) {
  return (
    <ActionIcon variant="default" size={30} aria-label={label} title={label} onClick={onClick} disabled={disabled ?? false}>
      {children}
    </ActionIcon>
  );
}
