import { Box, Table, Text, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useState } from 'react';
import { Link, useLocation } from 'wouter';
import { useDashboards } from '../backend/queries';
import { Age } from '../ui/Age';
import { DashboardsIcon, SearchIcon } from '../ui/icons';
import { Pager } from '../ui/Pager';
import { Empty, Failure, Loading, PageHead } from '../ui/states';

const pageSize = 20;

export function DashboardsPage() {
  const [, navigate] = useLocation();
  const [search, setSearch] = useState('');
  const [page, setPage] = useState(0);
  const [textSearch] = useDebouncedValue(search.trim(), 250);
  const dashboards = useDashboards({ page, pageSize, textSearch });
  const total = dashboards.data?.totalElements ?? 0;
  return (
    <>
      <title>Dashboards – Tidewire</title>
      <PageHead title="Dashboards" text="Values and charts of several devices on one page.">
        <TextInput
          placeholder="Search"
          aria-label="Search dashboards"
          leftSection={<SearchIcon size={16} />}
          value={search}
          onChange={(e) => {
            setSearch(e.currentTarget.value);
            setPage(0);
          }}
          w={{ base: '100%', xs: 220 }}
        />
      </PageHead>
      {dashboards.error && <Failure title="The dashboards could not be read" error={dashboards.error} retry={() => void dashboards.refetch()} />}
      <Box className="tw-panel">
        {dashboards.isPending && <Loading label="Loading dashboards" />}
        {dashboards.data && total === 0 && (
          <Empty title={textSearch ? 'No dashboard matches' : 'No dashboards yet'} icon={<DashboardsIcon size={36} />}>
            <Text c="dimmed" ta="center">
              {textSearch ? `Nothing has “${textSearch}” in its title.` : 'A dashboard is made over the API; docs/dashboards.md describes its configuration.'}
            </Text>
          </Empty>
        )}
        {total > 0 && (
          <>
            <Table className="tw-table" verticalSpacing="sm" horizontalSpacing="md" aria-label="Dashboards">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Title</Table.Th>
                  <Table.Th visibleFrom="xs">Shown to</Table.Th>
                  <Table.Th>Created</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {dashboards.data?.data.map((dashboard) => {
                  const href = `/dashboards/${dashboard.id.id}`;
                  return (
                    <Table.Tr key={dashboard.id.id} className="tw-row-link" onClick={() => navigate(href)}>
                      <Table.Td>
                        <Link href={href} onClick={(e) => e.stopPropagation()}>
                          {dashboard.title}
                        </Link>
                      </Table.Td>
                      <Table.Td visibleFrom="xs">
                        <Text size="sm" c="dimmed">
                          {dashboard.assignedCustomers.map((c) => c.title).join(', ') || 'Administrators'}
                        </Text>
                      </Table.Td>
                      <Table.Td style={{ whiteSpace: 'nowrap' }}>
                        <Text size="sm" span c="dimmed">
                          <Age ts={dashboard.createdTime} />
                        </Text>
                      </Table.Td>
                    </Table.Tr>
                  );
                })}
              </Table.Tbody>
            </Table>
            <Pager page={page} pageSize={pageSize} total={total} noun={total === 1 ? 'dashboard' : 'dashboards'} onPage={setPage} />
          </>
        )}
      </Box>
    </>
  );
}
