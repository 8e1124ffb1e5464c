import { Checkbox, Table, Text, TextInput, VisuallyHidden } from '@mantine/core';
import { Fragment, useState } from 'react';
import { lineColor, mostLines } from '../chart/palette';
import { formatValue, isNumeric } from '../time/value';
import { Age } from '../ui/Age';
import { SearchIcon } from '../ui/icons';
import type { KeyRow } from './keys';

interface Props {
  rows: readonly KeyRow[];
  selected: readonly string[];
  dark: boolean;
  onSelect: (keys: string[]) => void;
}

/** The newest value of every key, moving; the boxes choose what the chart draws. */
export function LatestTable({ rows, selected, dark, onSelect }: Props) {
  const [filter, setFilter] = useState('');
  const wanted = filter.trim().toLowerCase();
  const shown = wanted ? rows.filter((row) => row.key.toLowerCase().includes(wanted)) : rows;
  return (
    <>
      {rows.length > 12 && (
        <TextInput
          size="xs"
          m="sm"
          placeholder={`Filter ${rows.length} keys`}
          aria-label="Filter keys"
          leftSection={<SearchIcon size={14} />}
          value={filter}
          onChange={(e) => setFilter(e.currentTarget.value)}
        />
      )}
      <Table className="tw-table" horizontalSpacing={10} verticalSpacing={7} aria-label="Latest values">
        <Table.Thead>
          <Table.Tr>
            <Table.Th w={36}>
              <VisuallyHidden>In chart</VisuallyHidden>
            </Table.Th>
            <Table.Th>Key</Table.Th>
            <Table.Th>Value</Table.Th>
            <Table.Th visibleFrom="xs" w={64}>
              Type
            </Table.Th>
            {/* Wide enough for any age, so that the columns keep still while it grows. */}
            <Table.Th ta="right" w={82}>
              Age
            </Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {shown.map((row) => {
            const place = selected.indexOf(row.key);
            return (
              <LatestRow
                key={row.key}
                row={row}
                color={place >= 0 ? lineColor(place, dark) : undefined}
                full={place < 0 && selected.length >= mostLines}
                onToggle={(on) => onSelect(on ? [...selected, row.key] : selected.filter((key) => key !== row.key))}
              />
            );
          })}
        </Table.Tbody>
      </Table>
      {shown.length === 0 && (
        <Text c="dimmed" size="sm" p="md">
          No key contains “{filter.trim()}”.
        </Text>
      )}
    </>
  );
}

interface RowProps {
  row: KeyRow;
  color: string | undefined;
  full: boolean;
  onToggle: (on: boolean) => void;
}

function LatestRow({ row, color, full, onToggle }: RowProps) {
  return (
    <Table.Tr>
      <Table.Td pr={0}>
        <Checkbox
          size="xs"
          aria-label={`Draw ${row.key}`}
          checked={color !== undefined}
          disabled={full}
          {...(color ? { color } : {})}
          onChange={(e) => onToggle(e.currentTarget.checked)}
        />
      </Table.Td>
      <Table.Td style={{ overflowWrap: 'anywhere' }}>
        <Text fz={13} fw={500} span>
          <KeyName name={row.key} />
        </Text>
      </Table.Td>
      <Table.Td>
        <Value row={row} />
      </Table.Td>
      <Table.Td visibleFrom="xs">
        <Text size="xs" c="dimmed">
          {row.type}
        </Text>
      </Table.Td>
      <Table.Td ta="right" style={{ whiteSpace: 'nowrap' }}>
        <Text size="xs" c="dimmed" span>
          <Age ts={row.ts} bare />
        </Text>
      </Table.Td>
    </Table.Tr>
  );
}

/** A key that may break where its words end. */
export function KeyName({ name }: { name: string }) {
  return name.split(/(?<=[_.:/-])/).map((part, i) => (
    <Fragment key={i}>
      {i > 0 && <wbr />}
      {part}
    </Fragment>
  ));
}

/** A value that lights up when it changes: the key makes a new element, which plays the animation. */
export function Value({ row, prefix = 'latest' }: { row: KeyRow; prefix?: string }) {
  const [first] = useState(row.version);
  return (
    <Text
      size="sm"
      fw={600}
      component="span"
      key={row.version}
      className={`tw-value${isNumeric(row.type) ? ' tw-num' : ''}${row.version === first ? '' : ' tw-flash'}`}
      data-testid={`${prefix}-${row.key}`}
      {...(row.value && row.value.length > 80 ? { lineClamp: 3 } : {})}
    >
      {formatValue(row.value, row.type)}
    </Text>
  );
}
