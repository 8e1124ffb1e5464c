import { Alert, Box, Stack, Table, Text, Title } from '@mantine/core';
import { useLatest } from '../backend/services';
import type { AttributeScope, EntityId } from '../live/protocol';
import { Age } from '../ui/Age';
import { Loading } from '../ui/states';
import { keyRows } from './keys';
import { Value } from './LatestTable';

const scopes: readonly { scope: AttributeScope; title: string; text: string }[] = [
  { scope: 'CLIENT_SCOPE', title: 'Client', text: 'Sent by the device.' },
  { scope: 'SERVER_SCOPE', title: 'Server', text: 'Kept by the server about the device.' },
  { scope: 'SHARED_SCOPE', title: 'Shared', text: 'Set on the server for the device to read.' },
];

export function AttributesTab({ entity }: { entity: EntityId }) {
  return (
    <Stack>
      {scopes.map((each) => (
        <Scope key={each.scope} entity={entity} {...each} />
      ))}
    </Stack>
  );
}

function Scope({ entity, scope, title, text }: { entity: EntityId; scope: AttributeScope; title: string; text: string }) {
  const { loaded, values, error } = useLatest({ type: 'ATTRIBUTES', entity, scope });
  const rows = keyRows(values, undefined);
  return (
    <Box className="tw-panel" component="section" aria-label={`${title} attributes`}>
      <Box px="md" pt="md" pb="xs">
        <Title order={2}>{title}</Title>
        <Text size="sm" c="dimmed">
          {text}
        </Text>
      </Box>
      {error && (
        <Alert color="red" role="alert" m="md">
          {error}
        </Alert>
      )}
      {!loaded && <Loading label={`Loading ${title} attributes`} />}
      {loaded && rows.length === 0 && (
        <Text size="sm" c="dimmed" px="md" pb="md">
          None.
        </Text>
      )}
      {rows.length > 0 && (
        <Table className="tw-table" horizontalSpacing="md" verticalSpacing={7} layout="fixed" aria-label={`${title} attributes`}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Key</Table.Th>
              <Table.Th>Value</Table.Th>
              <Table.Th ta="right" w={120}>
                Changed
              </Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.map((row) => (
              <Table.Tr key={row.key}>
                <Table.Td style={{ overflowWrap: 'anywhere' }}>
                  <Text size="sm" fw={500} span>
                    {row.key}
                  </Text>
                </Table.Td>
                <Table.Td>
                  <Value row={row} prefix={`attribute-${scope}`} />
                </Table.Td>
                <Table.Td ta="right">
                  <Text size="xs" c="dimmed" span>
                    <Age ts={row.ts} />
                  </Text>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Box>
  );
}
