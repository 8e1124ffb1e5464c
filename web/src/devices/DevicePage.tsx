import { Anchor, Box, Button, Collapse, Group, Stack, Tabs, Text, Title } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { Link, useLocation } from 'wouter';
import { isForbidden, isNotFound } from '../backend/errors';
import { useDevice, useOwnCustomer, type DeviceInfo } from '../backend/queries';
import { Age } from '../ui/Age';
import { KeyIcon, LeftIcon, TrashIcon } from '../ui/icons';
import { Empty, Failure, Loading } from '../ui/states';
import { ActivityBadge } from './ActivityBadge';
import { AttributesTab } from './AttributesTab';
import { CredentialsPanel } from './CredentialsPanel';
import { DeleteDevice } from './DeleteDevice';
import { TelemetryTab } from './TelemetryTab';
import { useActivity } from './useActivity';

export function DevicePage({ id }: { id: string }) {
  const device = useDevice(id);
  if (device.data) return <Found device={device.data} />;
  if (isNotFound(device.error) || isForbidden(device.error)) {
    return (
      <Empty title="There is no such device">
        <Text c="dimmed">It was deleted, or it is not yours to see.</Text>
        <Anchor component={Link} href="/devices">
          All devices
        </Anchor>
      </Empty>
    );
  }
  if (device.error) return <Failure title="The device could not be read" error={device.error} retry={() => void device.refetch()} />;
  return <Loading label="Loading the device" />;
}

function Found({ device }: { device: DeviceInfo }) {
  const [, navigate] = useLocation();
  const [credentials, { toggle }] = useDisclosure();
  const [deleting, { open, close }] = useDisclosure();
  const { active, lastActivityTime } = useActivity(device);
  const mayDelete = useOwnCustomer() === undefined;
  return (
    <Stack gap="md">
      <title>{`${device.name} – Tidewire`}</title>
      <Box>
        <Anchor component={Link} href="/devices" size="sm" c="dimmed">
          <Group gap={2} component="span" display="inline-flex">
            <LeftIcon size={14} /> Devices
          </Group>
        </Anchor>
        <Group justify="space-between" align="flex-end" gap="md" mt={4}>
          <Box miw={0}>
            <Group gap="sm">
              <Title order={1} style={{ overflowWrap: 'anywhere' }}>
                {device.name}
              </Title>
              <ActivityBadge active={active} />
            </Group>
            <Text size="sm" c="dimmed" mt={2}>
              {device.type}
              {device.label ? ` · ${device.label}` : ''}
              {device.customerTitle ? ` · ${device.customerTitle}` : ''} · last activity <Age ts={lastActivityTime} />
            </Text>
          </Box>
          <Group gap="sm">
            <Button size="sm" variant="default" leftSection={<KeyIcon size={16} />} onClick={toggle} aria-expanded={credentials}>
              Credentials
            </Button>
            {mayDelete && (
              <Button size="sm" variant="default" leftSection={<TrashIcon size={16} />} onClick={open}>
                Delete
              </Button>
            )}
          </Group>
        </Group>
      </Box>
      <Collapse expanded={credentials}>{credentials && <CredentialsPanel deviceId={device.id.id} />}</Collapse>
      <Tabs defaultValue="telemetry" keepMounted={false}>
        <Tabs.List mb="md">
          <Tabs.Tab value="telemetry">Telemetry</Tabs.Tab>
          <Tabs.Tab value="attributes">Attributes</Tabs.Tab>
        </Tabs.List>
        <Tabs.Panel value="telemetry">
          <TelemetryTab device={device} />
        </Tabs.Panel>
        <Tabs.Panel value="attributes">
          <AttributesTab entity={device.id} />
        </Tabs.Panel>
      </Tabs>
      <DeleteDevice device={deleting ? device : undefined} onClose={close} onDeleted={() => navigate('/devices', { replace: true })} />
    </Stack>
  );
}
