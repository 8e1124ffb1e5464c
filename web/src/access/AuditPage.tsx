import { Badge, Box, Button, Table, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import { fetchAuditCsv, useAuditLog, type AuditLog } from '../backend/access';
import { Age } from '../ui/Age';
import { saveFile } from '../ui/download';
import { SearchIcon } from '../ui/icons';
import { Pager } from '../ui/Pager';
import { Empty, Failure, Loading, PageHead } from '../ui/states';

const pageSize = 50;

/** Who did what, newest first. */
export function AuditPage() {
  const [search, setSearch] = useState('');
  const [page, setPage] = useState(0);
  const [textSearch] = useDebouncedValue(search.trim(), 250);
  const log = useAuditLog({ page, pageSize, textSearch });
  const csv = useMutation({ mutationFn: () => fetchAuditCsv(textSearch), onSuccess: (blob) => saveFile(blob, 'audit.csv') });
  const total = log.data?.totalElements ?? 0;
  return (
    <>
      <title>Audit log – Tidewire</title>
      <PageHead title="Audit log" text="Who did what, from where, and how it ended.">
        <TextInput
          placeholder="Search"
          aria-label="Search the audit log"
          leftSection={<SearchIcon size={16} />}
          value={search}
          onChange={(e) => {
            setSearch(e.currentTarget.value);
            setPage(0);
          }}
          w={{ base: '100%', xs: 220 }}
        />
        <Button variant="default" loading={csv.isPending} onClick={() => csv.mutate()}>
          Download CSV
        </Button>
      </PageHead>
      {log.error && <Failure title="The audit log could not be read" error={log.error} retry={() => void log.refetch()} />}
      {csv.error && <Failure title="The audit log could not be downloaded" error={csv.error} />}
      <Box className="tw-panel">
        {log.isPending && <Loading label="Loading the audit log" />}
        {log.data && total === 0 && <Empty title={textSearch ? 'No entry matches' : 'Nothing has happened yet'} icon={<SearchIcon size={32} />} />}
        {total > 0 && (
          <>
            <Table.ScrollContainer minWidth={320} type="native">
              <Table className="tw-table" verticalSpacing="sm" horizontalSpacing="md" aria-label="Audit log">
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>When</Table.Th>
                    <Table.Th>Who</Table.Th>
                    <Table.Th>What</Table.Th>
                    <Table.Th visibleFrom="sm">On</Table.Th>
                    <Table.Th visibleFrom="md">From</Table.Th>
                    <Table.Th>Outcome</Table.Th>
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {log.data?.data.map((entry) => (
                    <Row key={entry.id.id} entry={entry} />
                  ))}
                </Table.Tbody>
              </Table>
            </Table.ScrollContainer>
            <Pager page={page} pageSize={pageSize} total={total} noun={total === 1 ? 'entry' : 'entries'} onPage={setPage} />
          </>
        )}
      </Box>
    </>
  );
}

function Row({ entry }: { entry: AuditLog }) {
  const failed = entry.actionStatus === 'FAILURE';
  return (
    <Table.Tr>
      <Table.Td c="dimmed">
        <Age ts={entry.createdTime} />
      </Table.Td>
      <Table.Td fw={600} style={{ overflowWrap: 'anywhere' }}>
        {entry.userName}
      </Table.Td>
      <Table.Td>
        {words(entry.actionType)}
        <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
          {entry.actionData.operation}
        </Text>
      </Table.Td>
      <Table.Td visibleFrom="sm" style={{ overflowWrap: 'anywhere' }}>
        {entry.entityName || words(entry.entityId?.entityType ?? '')}
      </Table.Td>
      <Table.Td visibleFrom="md" c="dimmed">
        {entry.actionData.clientAddress}
      </Table.Td>
      <Table.Td>
        <Badge variant="light" color={failed ? 'red' : 'teal'} tt="none" size="sm">
          {failed ? 'Failed' : 'Done'}
        </Badge>
        {failed && (
          <Text size="xs" c="dimmed" mt={2}>
            {entry.actionFailureDetails}
          </Text>
        )}
      </Table.Td>
    </Table.Tr>
  );
}

/** "CREDENTIALS_READ" as "credentials read". */
const words = (name: string) => name.toLowerCase().replaceAll('_', ' ');
