import { Badge, Box, Button, Modal, Table, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useState } from 'react';
import { useCustomers, useUsers } from '../backend/queries';
import { Age } from '../ui/Age';
import { PlusIcon, UsersIcon } from '../ui/icons';
import { Pager } from '../ui/Pager';
import { Empty, Failure, Loading, PageHead } from '../ui/states';
import { InviteUser } from './InviteUser';

const pageSize = 20;
const roles = { SYS_ADMIN: 'System administrator', TENANT_ADMIN: 'Administrator', CUSTOMER_USER: 'Customer user' };

export function UsersPage() {
  const [page, setPage] = useState(0);
  const [inviting, { open, close }] = useDisclosure();
  const users = useUsers({ page, pageSize, textSearch: '' });
  const customers = useCustomers({ page: 0, pageSize: 1000, textSearch: '', sortProperty: 'title' });
  const total = users.data?.totalElements ?? 0;
  const titleOf = (id: string | undefined) => customers.data?.data.find((c) => c.id.id === id)?.title ?? '';
  return (
    <>
      <title>Users – Tidewire</title>
      <PageHead title="Users" text="Everyone who may log in.">
        <Button leftSection={<PlusIcon size={16} />} onClick={open}>
          New user
        </Button>
      </PageHead>
      {users.error && <Failure title="The users could not be read" error={users.error} retry={() => void users.refetch()} />}
      <Box className="tw-panel">
        {users.isPending && <Loading label="Loading users" />}
        {users.data && total === 0 && <Empty title="No users yet" icon={<UsersIcon size={36} />} />}
        {total > 0 && (
          <>
            <Table className="tw-table" verticalSpacing="sm" horizontalSpacing="md" aria-label="Users">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>E-mail</Table.Th>
                  <Table.Th visibleFrom="sm">Name</Table.Th>
                  <Table.Th>Role</Table.Th>
                  <Table.Th visibleFrom="sm">Customer</Table.Th>
                  <Table.Th visibleFrom="xs">Created</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {users.data?.data.map((user) => (
                  <Table.Tr key={user.id.id}>
                    <Table.Td fw={600} style={{ overflowWrap: 'anywhere' }}>
                      {user.email}
                    </Table.Td>
                    <Table.Td visibleFrom="sm">{[user.firstName, user.lastName].filter(Boolean).join(' ')}</Table.Td>
                    <Table.Td>
                      <Badge variant="light" color={user.authority === 'CUSTOMER_USER' ? 'gray' : 'tide'} tt="none" size="sm">
                        {roles[user.authority]}
                      </Badge>
                    </Table.Td>
                    <Table.Td visibleFrom="sm">
                      <Text size="sm" c="dimmed">
                        {titleOf(user.customerId.id)}
                      </Text>
                    </Table.Td>
                    <Table.Td visibleFrom="xs" c="dimmed">
                      <Age ts={user.createdTime} />
                    </Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
            <Pager page={page} pageSize={pageSize} total={total} noun={total === 1 ? 'user' : 'users'} onPage={setPage} />
          </>
        )}
      </Box>
      <Modal opened={inviting} onClose={close} title="New user" centered>
        <InviteUser customers={customers.data?.data ?? []} onDone={close} />
      </Modal>
    </>
  );
}
