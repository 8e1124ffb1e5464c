import { Alert, Box, Button, Group, Modal, Stack, Table, Text, TextInput } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useState } from 'react';
import { messageOf } from '../backend/errors';
import { useCreateCustomer, useCustomers } from '../backend/queries';
import { Age } from '../ui/Age';
import { CustomersIcon, PlusIcon } from '../ui/icons';
import { Pager } from '../ui/Pager';
import { Empty, Failure, Loading, PageHead } from '../ui/states';

const pageSize = 20;

export function CustomersPage() {
  const [page, setPage] = useState(0);
  const [creating, { open, close }] = useDisclosure();
  const customers = useCustomers({ page, pageSize, textSearch: '' });
  const total = customers.data?.totalElements ?? 0;
  return (
    <>
      <title>Customers – Tidewire</title>
      <PageHead title="Customers" text="Groups of users who see the devices and dashboards assigned to them.">
        <Button leftSection={<PlusIcon size={16} />} onClick={open}>
          New customer
        </Button>
      </PageHead>
      {customers.error && <Failure title="The customers could not be read" error={customers.error} retry={() => void customers.refetch()} />}
      <Box className="tw-panel">
        {customers.isPending && <Loading label="Loading customers" />}
        {customers.data && total === 0 && (
          <Empty title="No customers yet" icon={<CustomersIcon size={36} />}>
            <Text c="dimmed">You need none as long as everyone may see everything.</Text>
          </Empty>
        )}
        {total > 0 && (
          <>
            <Table className="tw-table" verticalSpacing="sm" horizontalSpacing="md" aria-label="Customers">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Title</Table.Th>
                  <Table.Th visibleFrom="xs">E-mail</Table.Th>
                  <Table.Th>Created</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {customers.data?.data.map((customer) => (
                  <Table.Tr key={customer.id.id}>
                    <Table.Td fw={600}>{customer.title}</Table.Td>
                    <Table.Td visibleFrom="xs" c="dimmed">
                      {customer.email ?? ''}
                    </Table.Td>
                    <Table.Td c="dimmed">
                      <Age ts={customer.createdTime} />
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
            <Pager page={page} pageSize={pageSize} total={total} noun={total === 1 ? 'customer' : 'customers'} onPage={setPage} />
          </>
        )}
      </Box>
      <Modal opened={creating} onClose={close} title="New customer" centered>
        <Form onDone={close} />
      </Modal>
    </>
  );
}

function Form({ onDone }: { onDone: () => void }) {
  const [title, setTitle] = useState('');
  const create = useCreateCustomer();
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        create.mutate(title.trim(), { onSuccess: onDone });
      }}
    >
      <Stack>
        {create.error && (
          <Alert color="red" role="alert">
            {messageOf(create.error)}
          </Alert>
        )}
        <TextInput label="Title" required withAsterisk={false} maxLength={255} value={title} onChange={(e) => setTitle(e.currentTarget.value)} data-autofocus />
        <Group justify="flex-end" gap="sm">
          <Button variant="default" onClick={onDone}>
            Cancel
          </Button>
          <Button type="submit" loading={create.isPending} disabled={title.trim() === ''}>
            Create customer
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
