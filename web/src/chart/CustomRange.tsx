import { Button, Group, Popover, Stack, Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import type { Range, Span } from '../time/range';

/** The form of a datetime-local field, in the viewer's zone. */
export function toField(ts: number): string {
  const d = new Date(ts);
  return new Date(ts - d.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

export function fromField(text: string): number | undefined {
  const ts = new Date(text).getTime();
  return Number.isNaN(ts) ? undefined : ts;
}

interface Props {
  active: boolean;
  span: Span;
  onRange: (range: Range) => void;
}

export function CustomRange({ active, span, onRange }: Props) {
  const [opened, setOpened] = useState(false);
  const [from, setFrom] = useState('');
  const [to, setTo] = useState('');
  const [error, setError] = useState<string>();
  const open = () => {
    setFrom(toField(span.from));
    setTo(toField(span.to));
    setError(undefined);
    setOpened(true);
  };
  return (
    <Popover opened={opened} onChange={setOpened} trapFocus withArrow shadow="md" position="bottom-start">
      <Popover.Target>
        <Button
          size="xs"
          variant={active ? 'light' : 'default'}
          onClick={() => (opened ? setOpened(false) : open())}
          aria-pressed={active}
          aria-label="Custom range"
        >
          Custom
        </Button>
      </Popover.Target>
      <Popover.Dropdown>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            const [a, b] = [fromField(from), fromField(to)];
            if (a === undefined || b === undefined) setError('Both times are needed.');
            else if (a >= b) setError('The end lies before the start.');
            else {
              onRange({ kind: 'fixed', from: a, to: b });
              setOpened(false);
            }
          }}
        >
          <Stack gap="xs">
            <TextInput label="From" type="datetime-local" step={1} value={from} onChange={(e) => setFrom(e.currentTarget.value)} data-autofocus />
            <TextInput label="To" type="datetime-local" step={1} value={to} onChange={(e) => setTo(e.currentTarget.value)} />
            {error && (
              <Text size="xs" c="red" role="alert">
                {error}
              </Text>
            )}
            <Group justify="flex-end" gap="xs">
              <Button size="xs" variant="default" onClick={() => setOpened(false)}>
                Cancel
              </Button>
              <Button size="xs" type="submit">
                Show
              </Button>
            </Group>
          </Stack>
        </form>
      </Popover.Dropdown>
    </Popover>
  );
}
