import { Alert, Button, Group, Loader, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { messageOf } from '../backend/errors';
import { useCreateDevice, useCredentials, type Device } from '../backend/queries';
import { useLatest } from '../backend/services';
import { Code } from '../ui/Code';
import { CheckIcon } from '../ui/icons';
import { Failure, Loading } from '../ui/states';
import { curlCommand } from './commands';

/** Makes a device, then shows how to send its first value and says when that has arrived. */
export function CreateDevice({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const [created, setCreated] = useState<Device>();
  const close = () => {
    onClose();
    setCreated(undefined);
  };
  return (
    <Modal opened={opened} onClose={close} title={created ? `${created.name} is ready` : 'New device'} size={created ? 'lg' : 'md'} centered>
      {created ? <FirstValue device={created} onDone={close} /> : <Form onCreated={setCreated} onCancel={close} />}
    </Modal>
  );
}

function Form({ onCreated, onCancel }: { onCreated: (device: Device) => void; onCancel: () => void }) {
  const [name, setName] = useState('');
  const [type, setType] = useState('');
  const [label, setLabel] = useState('');
  const create = useCreateDevice();
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        create.mutate({ name: name.trim(), type: type.trim(), label: label.trim() }, { onSuccess: onCreated });
      }}
    >
      <Stack>
        {create.error && (
          <Alert color="red" role="alert">
            {messageOf(create.error)}
          </Alert>
        )}
        <TextInput label="Name" required withAsterisk={false} maxLength={255} value={name} onChange={(e) => setName(e.currentTarget.value)} data-autofocus />
        <TextInput label="Type" description="Groups devices of a kind; “default” when left out" maxLength={255} value={type} onChange={(e) => setType(e.currentTarget.value)} />
        <TextInput label="Label" description="Free text beside the name" maxLength={255} value={label} onChange={(e) => setLabel(e.currentTarget.value)} />
        <Group justify="flex-end" gap="sm">
          <Button variant="default" onClick={onCancel}>
            Cancel
          </Button>
          <Button type="submit" loading={create.isPending} disabled={name.trim() === ''}>
            Create device
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function FirstValue({ device, onDone }: { device: Device; onDone: () => void }) {
  const [, navigate] = useLocation();
  const credentials = useCredentials(device.id.id, true);
  const { values } = useLatest({ type: 'TIMESERIES', entity: device.id });
  if (credentials.error) return <Failure title="The token could not be read" error={credentials.error} retry={() => void credentials.refetch()} />;
  if (!credentials.data) return <Loading label="Loading the token" />;
  const token = credentials.data.credentialsId;
  const arrived = values.size > 0;
  return (
    <Stack>
      <div>
        <Text size="sm" fw={550} mb={4}>
          Access token
        </Text>
        <Code text={token} label="access token" testId="device-token" />
      </div>
      <div>
        <Text size="sm" fw={550} mb={4}>
          Send the first values
        </Text>
        <Code text={curlCommand(window.location.origin, token)} label="curl command" testId="device-curl" />
      </div>
      <Group justify="space-between" gap="sm">
        <Group gap={8} role="status">
          {arrived ? <CheckIcon /> : <Loader size="xs" />}
          <Text size="sm" c={arrived ? 'teal' : 'dimmed'}>
            {arrived ? `Received: ${[...values.keys()].slice(0, 4).join(', ')}` : 'Waiting for the first value…'}
          </Text>
        </Group>
        <Group gap="sm">
          <Button variant="default" onClick={onDone}>
            Close
          </Button>
          <Button
            onClick={() => {
              onDone();
              navigate(`/devices/${device.id.id}`);
            }}
          >
            Open device
          </Button>
        </Group>
      </Group>
    </Stack>
  );
}
