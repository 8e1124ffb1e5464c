import { Badge, Box, Button, Table, Text } from '@mantine/core';
import { useEndSession, useSessions, type Session } from '../backend/access';
import { Age } from '../ui/Age';
import { Failure, Loading, PageHead } from '../ui/states';

/** Where one is logged in. */
export function SessionsPage() {
  const sessions = useSessions();
  const end = useEndSession();
  return (
    <>
      <title>Your sessions – Tidewire</title>
      <PageHead title="Your sessions" text="Where you are logged in. A session that you end has to log in again." />
      {sessions.error && <Failure title="The sessions could not be read" error={sessions.error} retry={() => void sessions.refetch()} />}
      {end.error && <Failure title="The session could not be ended" error={end.error} />}
      <Box className="tw-panel">
        {sessions.isPending && <Loading label="Loading sessions" />}
        {sessions.data && (
          <Table className="tw-table" verticalSpacing="sm" horizontalSpacing="md" aria-label="Sessions">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>From</Table.Th>
                <Table.Th visibleFrom="sm">Client</Table.Th>
                <Table.Th>Since</Table.Th>
                <Table.Th w={100} aria-label="Actions" />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {sessions.data.map((session) => (
                <Row key={session.id} session={session} ending={end.isPending && end.variables === session.id} onEnd={() => end.mutate(session.id)} />
              ))}
            </Table.Tbody>
          </Table>
        )}
      </Box>
    </>
  );
}

function Row({ session, ending, onEnd }: { session: Session; ending: boolean; onEnd: () => void }) {
  return (
    <Table.Tr>
      <Table.Td fw={600}>{session.address || 'unknown'}</Table.Td>
      <Table.Td visibleFrom="sm" maw={420}>
        <Text size="sm" c="dimmed" truncate title={session.agent}>
          {session.agent}
        </Text>
      </Table.Td>
      <Table.Td c="dimmed">
        <Age ts={session.createdTime} />
      </Table.Td>
      <Table.Td>
        {session.current ? (
          <Badge variant="light" color="teal" tt="none" size="sm">
            This one
          </Badge>
        ) : (
          <Button variant="subtle" color="red" size="compact-sm" loading={ending} onClick={onEnd} aria-label={`End the session from ${session.address}`}>
            End
          </Button>
        )}
      </Table.Td>
    </Table.Tr>
  );
}
