import { ActionIcon, Box, Group, Table, Text, Tooltip, VisuallyHidden } from '@mantine/core';
import { useState } from 'react';
import { Link, useLocation } from 'wouter';
import type { DeviceInfo } from '../backend/queries';
import { Age } from '../ui/Age';
import { DownIcon, TrashIcon, UpIcon } from '../ui/icons';
import { ActivityBadge } from './ActivityBadge';
import { DeleteDevice } from './DeleteDevice';
import { useActivity } from './useActivity';

export interface Sort {
  property: string;
  order: 'ASC' | 'DESC';
}

interface Props {
  devices: readonly DeviceInfo[];
  sort: Sort;
  onSort: (sort: Sort) => void;
  mayDelete: boolean;
}

export function DeviceTable({ devices, sort, onSort, mayDelete }: Props) {
  const [deleting, setDeleting] = useState<DeviceInfo>();
  return (
    <>
      <Table.ScrollContainer minWidth={320} type="native">
        <Table className="tw-table" verticalSpacing="sm" horizontalSpacing="md" aria-label="Devices">
          <Table.Thead>
            <Table.Tr>
              <SortHead property="name" label="Name" sort={sort} onSort={onSort} />
              <SortHead property="type" label="Type" sort={sort} onSort={onSort} visibleFrom="xs" />
              <SortHead property="label" label="Label" sort={sort} onSort={onSort} visibleFrom="md" />
              <Table.Th visibleFrom="md">Customer</Table.Th>
              <Table.Th>State</Table.Th>
              <Table.Th>Last activity</Table.Th>
              {mayDelete && (
                <Table.Th w={52} visibleFrom="xs">
                  <VisuallyHidden>Actions</VisuallyHidden>
                </Table.Th>
              )}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {devices.map((device) => (
              <DeviceRow key={device.id.id} device={device} onDelete={mayDelete ? () => setDeleting(device) : undefined} />
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      <DeleteDevice device={deleting} onClose={() => setDeleting(undefined)} />
    </>
  );
}

function DeviceRow({ device, onDelete }: { device: DeviceInfo; onDelete?: (() => void) | undefined }) {
  const [, navigate] = useLocation();
  const { active, lastActivityTime } = useActivity(device);
  const href = `/devices/${device.id.id}`;
  return (
    <Table.Tr className="tw-row-link" onClick={() => navigate(href)} data-testid={`device-${device.name}`}>
      <Table.Td>
        <Link href={href} onClick={(e) => e.stopPropagation()}>
          {device.name}
        </Link>
        <Text size="xs" c="dimmed" hiddenFrom="xs">
          {device.type}
        </Text>
      </Table.Td>
      <Table.Td visibleFrom="xs" style={{ whiteSpace: 'nowrap' }}>
        <Text size="sm" c="dimmed">
          {device.type}
        </Text>
      </Table.Td>
      <Table.Td visibleFrom="md">
        <Text size="sm" c="dimmed">
          {device.label ?? ''}
        </Text>
      </Table.Td>
      <Table.Td visibleFrom="md">
        <Text size="sm" c="dimmed">
          {device.customerTitle ?? ''}
        </Text>
      </Table.Td>
      <Table.Td style={{ whiteSpace: 'nowrap' }}>
        <ActivityBadge active={active} />
      </Table.Td>
      <Table.Td data-testid="last-activity" style={{ whiteSpace: 'nowrap' }}>
        <Text size="sm" span>
          <Age ts={lastActivityTime} />
        </Text>
      </Table.Td>
      {onDelete && (
        <Table.Td visibleFrom="xs">
          <Tooltip label="Delete" withArrow>
            <ActionIcon
              variant="subtle"
              color="gray"
              aria-label={`Delete ${device.name}`}
              onClick={(e) => {
                e.stopPropagation();
                onDelete();
              }}
            >
              <TrashIcon size={16} />
            </ActionIcon>
          </Tooltip>
        </Table.Td>
      )}
    </Table.Tr>
  );
}

interface HeadProps {
  property: string;
  label: string;
  sort: Sort;
  onSort: (sort: Sort) => void;
  visibleFrom?: string;
}

function SortHead({ property, label, sort, onSort, visibleFrom }: HeadProps) {
  const mine = sort.property === property;
  const up = sort.order === 'ASC';
  return (
    <Table.Th aria-sort={mine ? (up ? 'ascending' : 'descending') : 'none'} {...(visibleFrom ? { visibleFrom } : {})}>
      <button type="button" className="tw-sort" onClick={() => onSort({ property, order: mine && up ? 'DESC' : 'ASC' })}>
        <Group gap={3} wrap="nowrap">
          {label}
          <Box style={{ visibility: mine ? 'visible' : 'hidden', display: 'inline-flex' }}>
            {up || !mine ? <UpIcon size={13} /> : <DownIcon size={13} />}
          </Box>
        </Group>
      </button>
    </Table.Th>
  );
}
