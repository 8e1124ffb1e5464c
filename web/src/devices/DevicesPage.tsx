import { Box, Button, Text, TextInput } from '@mantine/core';
import { useDebouncedValue, useDisclosure } from '@mantine/hooks';
import { useState } from 'react';
import { useDevices, useOwnCustomer, type PageRequest } from '../backend/queries';
import { DevicesIcon, PlusIcon, SearchIcon } from '../ui/icons';
import { Pager } from '../ui/Pager';
import { Empty, Failure, Loading, PageHead } from '../ui/states';
import { Code } from '../ui/Code';
import { curlCommand } from './commands';
import { CreateDevice } from './CreateDevice';
import { DeviceTable, type Sort } from './DeviceTable';

const pageSize = 20;

export function DevicesPage() {
  const [search, setSearch] = useState('');
  const [page, setPage] = useState(0);
  const [sort, setSort] = useState<Sort>({ property: 'name', order: 'ASC' });
  const [textSearch] = useDebouncedValue(search.trim(), 250);
  const [creating, { open, close }] = useDisclosure();
  const mayCreate = useOwnCustomer() === undefined;
  const request: PageRequest = { page, pageSize, textSearch, sortProperty: sort.property, sortOrder: sort.order };
  const devices = useDevices(request);
  const total = devices.data?.totalElements ?? 0;
  const none = devices.data !== undefined && total === 0 && textSearch === '';

  return (
    <>
      <title>Devices – Tidewire</title>
      <PageHead title="Devices" text="Everything that sends telemetry.">
        <TextInput
          placeholder="Search"
          aria-label="Search devices"
          leftSection={<SearchIcon size={16} />}
          value={search}
          onChange={(e) => {
            setSearch(e.currentTarget.value);
            setPage(0);
          }}
          w={{ base: '100%', xs: 220 }}
        />
        {mayCreate && (
          <Button leftSection={<PlusIcon size={16} />} onClick={open}>
            New device
          </Button>
        )}
      </PageHead>
      {devices.error && <Failure title="The devices could not be read" error={devices.error} retry={() => void devices.refetch()} />}
      <Box className="tw-panel">
        {devices.isPending && <Loading label="Loading devices" />}
        {none && <FirstDevice mayCreate={mayCreate} onCreate={open} />}
        {devices.data && total === 0 && !none && (
          <Empty title="No device matches" icon={<SearchIcon size={32} />}>
            <Text c="dimmed">Nothing has “{textSearch}” in its name, type or label.</Text>
          </Empty>
        )}
        {devices.data && total > 0 && (
          <>
            <DeviceTable
              devices={devices.data.data}
              sort={sort}
              onSort={(next) => {
                setSort(next);
                setPage(0);
              }}
              mayDelete={mayCreate}
            />
            <Pager page={page} pageSize={pageSize} total={total} noun={total === 1 ? 'device' : 'devices'} onPage={setPage} />
          </>
        )}
      </Box>
      <CreateDevice opened={creating} onClose={close} />
    </>
  );
}

function FirstDevice({ mayCreate, onCreate }: { mayCreate: boolean; onCreate: () => void }) {
  return (
    <Empty title="No devices yet" icon={<DevicesIcon size={36} />}>
      <Text c="dimmed" ta="center">
        {mayCreate
          ? 'Create a device and you get its token. Whatever can send an HTTP request can then send telemetry, like this:'
          : 'No device is assigned to your customer yet.'}
      </Text>
      {mayCreate && (
        <>
          <Box w="100%" my="sm">
            <Code text={curlCommand(window.location.origin, 'TOKEN')} label="first command" testId="first-curl" />
          </Box>
          <Button leftSection={<PlusIcon size={16} />} onClick={onCreate}>
            Create the first device
          </Button>
        </>
      )}
    </Empty>
  );
}
