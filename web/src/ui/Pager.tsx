import { Group, Pagination, Text } from '@mantine/core';

interface Props {
  /** From 0. */
  page: number;
  pageSize: number;
  total: number;
  noun: string;
  onPage: (page: number) => void;
}

export function Pager({ page, pageSize, total, noun, onPage }: Props) {
  const pages = Math.max(1, Math.ceil(total / pageSize));
  return (
    <Group justify="space-between" px="md" py="sm" gap="sm" style={{ borderTop: '1px solid var(--tw-line)' }}>
      <Text size="sm" c="dimmed" className="tw-num">
        {total === 0 ? `No ${noun}` : `${page * pageSize + 1}–${Math.min(total, (page + 1) * pageSize)} of ${total.toLocaleString('en-US')} ${noun}`}
      </Text>
      {pages > 1 && (
        <Pagination
          size="sm"
          total={pages}
          value={page + 1}
          onChange={(value) => onPage(value - 1)}
          getControlProps={(control) => ({ 'aria-label': `${control} page` })}
        />
      )}
    </Group>
  );
}
