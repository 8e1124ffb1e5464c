import { Badge } from '@mantine/core';

/** Whether a device was heard within its inactivity timeout. */
export function ActivityBadge({ active }: { active: boolean }) {
  return (
    <Badge
      variant="light"
      color={active ? 'teal' : 'gray'}
      size="sm"
      tt="none"
      miw="max-content"
      leftSection={<span className="tw-dot" style={{ width: 6, height: 6 }} />}
      data-testid="activity"
    >
      {active ? 'Active' : 'Inactive'}
    </Badge>
  );
}
