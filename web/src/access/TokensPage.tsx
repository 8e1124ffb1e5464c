import { Alert, Badge, Box, Button, Group, Menu, Modal, Stack, Table, Text } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { useState } from 'react';
import { useApiTokens, useRevokeToken, useRotateToken, type ApiToken } from '../backend/access';
import { messageOf } from '../backend/errors';
import { formatDate } from '../time/format';
import { Age } from '../ui/Age';
import { KeyIcon, PlusIcon } from '../ui/icons';
import { Pager } from '../ui/Pager';
import { Empty, Failure, Loading, PageHead } from '../ui/states';
import { NewToken } from './NewToken';
import { scopeNames } from './scopes';
import { TokenText } from './TokenText';

const pageSize = 20;
const hour = 3600;

export function TokensPage() {
  const [page, setPage] = useState(0);
  const [creating, { open, close }] = useDisclosure();
  const [rotating, setRotating] = useState<ApiToken>();
  const [revoking, setRevoking] = useState<ApiToken>();
  const tokens = useApiTokens({ page, pageSize, textSearch: '' });
  const total = tokens.data?.totalElements ?? 0;
  return (
    <>
      <title>API tokens – Tidewire</title>
      <PageHead title="API tokens" text="Let programs in, each with the rights it needs.">
        <Button leftSection={<PlusIcon size={16} />} onClick={open}>
          New token
        </Button>
      </PageHead>
      {tokens.error && <Failure title="The tokens could not be read" error={tokens.error} retry={() => void tokens.refetch()} />}
      <Box className="tw-panel">
        {tokens.isPending && <Loading label="Loading tokens" />}
        {tokens.data && total === 0 && (
          <Empty title="No API tokens yet" icon={<KeyIcon size={36} />}>
            <Text c="dimmed">Scripts, gateways and Grafana log in with a token, never with a person&apos;s password.</Text>
          </Empty>
        )}
        {total > 0 && (
          <>
            <Table.ScrollContainer minWidth={320} type="native">
              <Table className="tw-table" verticalSpacing="sm" horizontalSpacing="md" aria-label="API tokens">
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>Name</Table.Th>
                    <Table.Th visibleFrom="sm">Begins with</Table.Th>
                    <Table.Th visibleFrom="sm">May</Table.Th>
                    <Table.Th>Last used</Table.Th>
                    <Table.Th>Expires</Table.Th>
                    <Table.Th w={90} aria-label="Actions" />
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {tokens.data?.data.map((token) => (
                    <Row key={token.id} token={token} onRotate={() => setRotating(token)} onRevoke={() => setRevoking(token)} />
                  ))}
                </Table.Tbody>
              </Table>
            </Table.ScrollContainer>
            <Pager page={page} pageSize={pageSize} total={total} noun={total === 1 ? 'token' : 'tokens'} onPage={setPage} />
          </>
        )}
      </Box>
      <Modal opened={creating} onClose={close} title="New API token" centered>
        <NewToken onDone={close} />
      </Modal>
      <Rotate token={rotating} onClose={() => setRotating(undefined)} />
      <Revoke token={revoking} onClose={() => setRevoking(undefined)} />
    </>
  );
}

function Row({ token, onRotate, onRevoke }: { token: ApiToken; onRotate: () => void; onRevoke: () => void }) {
  return (
    <Table.Tr>
      <Table.Td fw={600} style={{ overflowWrap: 'anywhere' }}>
        {token.name}
      </Table.Td>
      <Table.Td visibleFrom="sm" c="dimmed" ff="monospace" fz="sm">
        {token.prefix}…
      </Table.Td>
      <Table.Td visibleFrom="sm">
        <Group gap={6}>
          {token.scopes.map((scope) => (
            <Badge key={scope} variant="light" color={scope === 'admin' ? 'orange' : 'gray'} tt="none" size="sm">
              {scopeNames[scope]}
            </Badge>
          ))}
          {token.entities.length > 0 && (
            <Text size="xs" c="dimmed">
              of {token.entities.length} {token.entities.length === 1 ? 'device' : 'devices'}
            </Text>
          )}
        </Group>
      </Table.Td>
      <Table.Td c="dimmed">
        <Age ts={token.lastUsed} />
      </Table.Td>
      <Table.Td c="dimmed">
        {token.expires === null ? 'never' : formatDate(token.expires)}
      </Table.Td>
      <Table.Td>
        <Menu position="bottom-end">
          <Menu.Target>
            <Button variant="subtle" color="gray" size="compact-sm" aria-label={`Change ${token.name}`}>
              Change
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item onClick={onRotate}>Rotate</Menu.Item>
            <Menu.Item color="red" onClick={onRevoke}>
              Revoke
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
      </Table.Td>
    </Table.Tr>
  );
}

function Rotate({ token, onClose }: { token: ApiToken | undefined; onClose: () => void }) {
  const rotate = useRotateToken();
  const close = () => {
    rotate.reset();
    onClose();
  };
  return (
    <Modal opened={token !== undefined} onClose={close} title={`Rotate ${token?.name ?? ''}`} centered>
      {rotate.data ? (
        <TokenText what="token" header="Authorization: Bearer" text={rotate.data.token} onDone={close} />
      ) : (
        <Stack>
          <Text size="sm">The token gets a new text. The one it has works for another hour, so that programs can change over.</Text>
          {rotate.error && (
            <Alert color="red" role="alert">
              {messageOf(rotate.error)}
            </Alert>
          )}
          <Group justify="flex-end" gap="sm">
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button loading={rotate.isPending} onClick={() => token && rotate.mutate({ tokenId: token.id, overlapSeconds: hour })}>
              Rotate token
            </Button>
          </Group>
        </Stack>
      )}
    </Modal>
  );
}

function Revoke({ token, onClose }: { token: ApiToken | undefined; onClose: () => void }) {
  const revoke = useRevokeToken();
  const close = () => {
    revoke.reset();
    onClose();
  };
  return (
    <Modal opened={token !== undefined} onClose={close} title={`Revoke ${token?.name ?? ''}?`} centered>
      <Stack>
        <Text size="sm">Programs that use it are let in no more, and their open connections close within seconds. This cannot be undone.</Text>
        {revoke.error && (
          <Alert color="red" role="alert">
            {messageOf(revoke.error)}
          </Alert>
        )}
        <Group justify="flex-end" gap="sm">
          <Button variant="default" onClick={close} data-autofocus>
            Cancel
          </Button>
          <Button color="red" loading={revoke.isPending} onClick={() => token && revoke.mutate(token.id, { onSuccess: close })}>
            Revoke token
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
