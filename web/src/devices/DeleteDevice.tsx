import { Alert, Button, Group, Modal, Stack, Text } from '@mantine/core';
import { messageOf } from '../backend/errors';
import { useDeleteDevice, type DeviceInfo } from '../backend/queries';

interface Props {
  device: DeviceInfo | undefined;
  onClose: () => void;
  onDeleted?: () => void;
}

/** Asks before a device and its data go. */
export function DeleteDevice({ device, onClose, onDeleted }: Props) {
  const remove = useDeleteDevice();
  const close = () => {
    remove.reset();
    onClose();
  };
  return (
    <Modal opened={device !== undefined} onClose={close} title={`Delete ${device?.name ?? ''}?`} centered>
      <Stack>
        <Text size="sm">The device goes with all its telemetry and attributes. This cannot be undone.</Text>
        {remove.error && (
          <Alert color="red" role="alert">
            {messageOf(remove.error)}
          </Alert>
        )}
        <Group justify="flex-end" gap="sm">
          <Button variant="default" onClick={close} data-autofocus>
            Cancel
          </Button>
          <Button
            color="red"
            loading={remove.isPending}
            onClick={() => {
              if (!device) return;
              remove.mutate(device.id.id, {
                onSuccess: () => {
                  close();
                  onDeleted?.();
                },
              });
            }}
          >
            Delete device
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
