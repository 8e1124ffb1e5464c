import { Alert, Box, Button, Center, Group, Loader, Stack, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';
import { messageOf } from '../backend/errors';
import { WarnIcon } from './icons';

/** A failure, in the server's words, with a way to try again. */
export function Failure({ title, error, retry }: { title: string; error: unknown; retry?: () => void }) {
  return (
    <Alert color="red" icon={<WarnIcon />} title={title} role="alert" variant="light">
      <Group justify="space-between" gap="sm">
        <Text size="sm">{messageOf(error)}</Text>
        {retry && (
          <Button size="xs" variant="light" color="red" onClick={retry}>
            Try again
          </Button>
        )}
      </Group>
    </Alert>
  );
}

export function Loading({ label }: { label: string }) {
  return (
    <Center py="xl" role="status" aria-label={label}>
      <Loader size="sm" type="dots" />
    </Center>
  );
}

/** Nothing to show, and what to do about it. */
export function Empty({ title, icon, children }: { title: string; icon?: ReactNode; children?: ReactNode }) {
  return (
    <Stack align="center" gap="xs" py={48} px="md" maw={720} mx="auto">
      {icon && (
        <Box c="dimmed" aria-hidden>
          {icon}
        </Box>
      )}
      <Title order={2} ta="center">
        {title}
      </Title>
      {children}
    </Stack>
  );
}

/** The head of a page: what it is, what can be done. */
export function PageHead({ title, text, children }: { title: ReactNode; text?: ReactNode; children?: ReactNode }) {
  return (
    <Group justify="space-between" align="flex-end" mb="lg" gap="md">
      <Box miw={0}>
        <Title order={1}>{title}</Title>
        {text && (
          <Text c="dimmed" size="sm" mt={2}>
            {text}
          </Text>
        )}
      </Box>
      <Group gap="sm">{children}</Group>
    </Group>
  );
}
