import { Alert, Box, Button, Group, Modal, Stack, Switch, Table, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useState } from 'react';
import { messageOf } from '../backend/errors';
import { useApiKeys, useDeleteKey, useEnableKey, type ApiKeyInfo } from '../backend/keys';
import { formatDate } from '../time/format';
import { Age } from '../ui/Age';
import { KeyIcon, PlusIcon } from '../ui/icons';
import { Pager } from '../ui/Pager';
import { Empty, Failure, Loading, PageHead } from '../ui/states';
import { NewKey } from './NewKey';

const pageSize = 20;

/** One's own API keys. */
export function KeysPage() {
  const [page, setPage] = useState(0);
  const [creating, { open, close }] = useDisclosure();
  const [deleting, setDeleting] = useState<ApiKeyInfo>();
  const keys = useApiKeys({ page, pageSize, textSearch: '' });
  const enable = useEnableKey();
  const total = keys.data?.totalElements ?? 0;
  return (
    <>
      <title>Your API keys – Tidewire</title>
      <PageHead title="Your API keys" text="A key lets a program in as you, with all your rights over devices and data.">
        <Button leftSection={<PlusIcon size={16} />} onClick={open}>
          New key
        </Button>
      </PageHead>
      {keys.error && <Failure title="The keys could not be read" error={keys.error} retry={() => void keys.refetch()} />}
      {enable.error && <Failure title="The key could not be changed" error={enable.error} />}
      <Box className="tw-panel">
        {keys.isPending && <Loading label="Loading keys" />}
        {keys.data && total === 0 && (
          <Empty title="No API keys yet" icon={<KeyIcon size={36} />}>
            <Text c="dimmed">Programs of yours log in with a key, never with your password.</Text>
          </Empty>
        )}
        {total > 0 && (
          <>
            <Table.ScrollContainer minWidth={320} type="native">
              <Table className="tw-table" verticalSpacing="sm" horizontalSpacing="md" aria-label="API keys">
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>Description</Table.Th>
                    <Table.Th>Last used</Table.Th>
                    <Table.Th visibleFrom="sm">Expires</Table.Th>
                    <Table.Th>Lets in</Table.Th>
                    <Table.Th w={100} aria-label="Actions" />
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {keys.data?.data.map((key) => (
                    <Row
                      key={key.id.id}
                      apiKey={key}
                      changing={enable.isPending && enable.variables.apiKeyId === key.id.id}
                      onEnable={(enabled) => enable.mutate({ apiKeyId: key.id.id, enabled })}
                      onDelete={() => setDeleting(key)}
                    />
                  ))}
                </Table.Tbody>
              </Table>
            </Table.ScrollContainer>
            <Pager page={page} pageSize={pageSize} total={total} noun={total === 1 ? 'key' : 'keys'} onPage={setPage} />
          </>
        )}
      </Box>
      <Modal opened={creating} onClose={close} title="New API key" centered>
        <NewKey onDone={close} />
      </Modal>
      <Delete apiKey={deleting} onClose={() => setDeleting(undefined)} />
    </>
  );
}

function Row({ apiKey, changing, onEnable, onDelete }: { apiKey: ApiKeyInfo; changing: boolean; onEnable: (enabled: boolean) => void; onDelete: () => void }) {
  return (
    <Table.Tr>
      <Table.Td fw={600} style={{ overflowWrap: 'anywhere' }}>
        {apiKey.description}
      </Table.Td>
      <Table.Td c="dimmed">
        <Age ts={apiKey.lastUsed} />
      </Table.Td>
      <Table.Td visibleFrom="sm" c="dimmed">
        {apiKey.expirationTime === 0 ? 'never' : formatDate(apiKey.expirationTime)}
      </Table.Td>
      <Table.Td>
        <Switch
          checked={apiKey.enabled && !apiKey.expired}
          disabled={apiKey.expired || changing}
          onChange={(e) => onEnable(e.currentTarget.checked)}
          aria-label={`${apiKey.description} lets in`}
        />
      </Table.Td>
      <Table.Td>
        <Button variant="subtle" color="red" size="compact-sm" onClick={onDelete} aria-label={`Delete ${apiKey.description}`}>
          Delete
        </Button>
      </Table.Td>
    </Table.Tr>
  );
}

function Delete({ apiKey, onClose }: { apiKey: ApiKeyInfo | undefined; onClose: () => void }) {
  const remove = useDeleteKey();
  const close = () => {
    remove.reset();
    onClose();
  };
  return (
    <Modal opened={apiKey !== undefined} onClose={close} title={`Delete ${apiKey?.description ?? ''}?`} centered>
      <Stack>
        <Text size="sm">Programs that use it are let in no more, and their open connections close within seconds. This cannot be undone.</Text>
        {remove.error && (
          <Alert color="red" role="alert">
            {messageOf(remove.error)}
          </Alert>
        )}
        <Group justify="flex-end" gap="sm">
          <Button variant="default" onClick={close} data-autofocus>
            Cancel
          </Button>
          <Button color="red" loading={remove.isPending} onClick={() => apiKey && remove.mutate(apiKey.id.id, { onSuccess: close })}>
            Delete key
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
