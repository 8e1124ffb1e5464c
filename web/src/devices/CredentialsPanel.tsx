import { Box, Button, Group, Stack, Text, Title } from '@mantine/core';
import { useState } from 'react';
import { useCredentials } from '../backend/queries';
import { Code } from '../ui/Code';
import { EyeIcon } from '../ui/icons';
import { Failure, Loading } from '../ui/states';
import { curlCommand } from './commands';

/** How the device lets itself in; the token is shown when asked for. */
export function CredentialsPanel({ deviceId }: { deviceId: string }) {
  const [shown, setShown] = useState(false);
  const credentials = useCredentials(deviceId, true);
  if (credentials.error) return <Failure title="The credentials could not be read" error={credentials.error} retry={() => void credentials.refetch()} />;
  if (!credentials.data) return <Loading label="Loading credentials" />;
  const { credentialsType, credentialsId } = credentials.data;
  const isToken = credentialsType === 'ACCESS_TOKEN';
  const masked = '•'.repeat(20);
  return (
    <Box className="tw-panel" p="md" component="section" aria-label="Credentials">
      <Group justify="space-between" mb="sm">
        <Title order={2}>Credentials</Title>
        <Button size="xs" variant="default" leftSection={<EyeIcon size={15} />} onClick={() => setShown(!shown)} aria-pressed={shown}>
          {shown ? 'Hide' : 'Show'}
        </Button>
      </Group>
      <Stack gap="sm">
        <div>
          <Text size="sm" fw={550} mb={4}>
            {isToken ? 'Access token' : credentialsType}
          </Text>
          {shown ? <Code text={credentialsId} label="access token" testId="device-token" /> : <pre className="tw-code">{masked}</pre>}
        </div>
        {isToken && (
          <div>
            <Text size="sm" fw={550} mb={4}>
              Send telemetry
            </Text>
            {shown ? (
              <Code text={curlCommand(window.location.origin, credentialsId)} label="curl command" testId="device-curl" />
            ) : (
              <pre className="tw-code">{curlCommand(window.location.origin, 'TOKEN').replace('TOKEN', masked)}</pre>
            )}
          </div>
        )}
      </Stack>
    </Box>
  );
}
