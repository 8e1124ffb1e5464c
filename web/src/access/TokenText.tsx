import { Button, Group, Stack, Text } from '@mantine/core';
import { Code } from '../ui/Code';

/** The text of a token or a key, the one time it can be seen; `header` is what programs send it in. */
export function TokenText({ what, text, header, onDone }: { what: 'token' | 'key'; text: string; header: string; onDone: () => void }) {
  return (
    <Stack>
      <Text size="sm">Copy the {what} now. It is not kept, and cannot be shown again.</Text>
      <Code text={text} label={what} testId="token-text" />
      <Text size="sm" c="dimmed">
        Programs send it as <code>{header}</code>.
      </Text>
      <Group justify="flex-end">
        <Button onClick={onDone}>Done</Button>
      </Group>
    </Stack>
  );
}
