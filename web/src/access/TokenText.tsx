import { Button, Group, Stack, Text } from '@mantine/core';
import { Code } from '../ui/Code';

/** The text of a token, the one time it can be seen. */
export function TokenText({ text, onDone }: { text: string; onDone: () => void }) {
  return (
    <Stack>
      <Text size="sm">Copy the token now. It is not kept, and cannot be shown again.</Text>
      <Code text={text} label="token" testId="token-text" />
      <Text size="sm" c="dimmed">
        Programs send it as <code>Authorization: Bearer</code>, over REST and WebSocket.
      </Text>
      <Group justify="flex-end">
        <Button onClick={onDone}>Done</Button>
      </Group>
    </Stack>
  );
}
