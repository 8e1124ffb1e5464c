import { Alert, Button, Group, NativeSelect, Stack, TextInput } from '@mantine/core';
import { useState } from 'react';
import { messageOf } from '../backend/errors';
import { useCreateKey } from '../backend/keys';
import { expiryOf, lifetimes } from './scopes';
import { TokenText } from './TokenText';

/** Asks what an API key is for, and shows its text. */
export function NewKey({ onDone }: { onDone: () => void }) {
  const [description, setDescription] = useState('');
  const [days, setDays] = useState('90');
  const create = useCreateKey();
  if (create.data) return <TokenText what="key" text={create.data.value} header="X-Authorization: ApiKey" onDone={onDone} />;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        create.mutate({ description: description.trim(), expires: expiryOf(days, Date.now()) });
      }}
    >
      <Stack>
        {create.error && (
          <Alert color="red" role="alert">
            {messageOf(create.error)}
          </Alert>
        )}
        <TextInput
          label="Description"
          description="What it is for"
          required
          withAsterisk={false}
          maxLength={255}
          value={description}
          onChange={(e) => setDescription(e.currentTarget.value)}
          data-autofocus
        />
        <NativeSelect label="Expires" data={lifetimes} value={days} onChange={(e) => setDays(e.currentTarget.value)} />
        <Group justify="flex-end" gap="sm">
          <Button variant="default" onClick={onDone}>
            Cancel
          </Button>
          <Button type="submit" loading={create.isPending} disabled={description.trim() === ''}>
            Create key
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
