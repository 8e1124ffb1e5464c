import { Box, Group, Paper, Stack, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';
import { Brand, SchemeToggle } from '../ui/Layout';

/** The frame of the pages before there is a session. */
export function Door({ title, text, children }: { title: string; text?: ReactNode; children: ReactNode }) {
  return (
    <main className="tw-door">
      <title>{`${title} – Tidewire`}</title>
      <Box pos="absolute" top={14} right={14}>
        <SchemeToggle />
      </Box>
      <Stack w="100%" maw={400} gap="lg">
        <Group justify="center">
          <Brand />
        </Group>
        <Paper className="tw-panel" p={{ base: 'lg', sm: 'xl' }} shadow="md">
          <Title order={1} mb={4}>
            {title}
          </Title>
          {text && (
            <Text c="dimmed" size="sm" mb="lg">
              {text}
            </Text>
          )}
          {children}
        </Paper>
      </Stack>
    </main>
  );
}
