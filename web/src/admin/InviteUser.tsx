import { Alert, Anchor, Button, Group, NativeSelect, Stack, Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import { Link } from 'wouter';
import { messageOf } from '../backend/errors';
import { useCreateUser, type Customer } from '../backend/queries';
import { Code } from '../ui/Code';

/** Makes a user of a customer and shows the link to hand over. */
export function InviteUser({ customers, onDone }: { customers: readonly Customer[]; onDone: () => void }) {
  const [email, setEmail] = useState('');
  const [firstName, setFirstName] = useState('');
  const [lastName, setLastName] = useState('');
  const [chosen, setChosen] = useState('');
  const create = useCreateUser();
  const customer = customers.find((c) => c.id.id === chosen) ?? customers[0];

  if (create.data !== undefined) {
    return (
      <Stack>
        <Text size="sm">Give this link to {email}. It works once and lets the new user choose a password.</Text>
        <Code text={create.data} label="activation link" testId="activation-link" />
        <Group justify="flex-end">
          <Button onClick={onDone}>Done</Button>
        </Group>
      </Stack>
    );
  }
  if (!customer) {
    return (
      <Text size="sm">
        A user belongs to a customer, and there is none yet. Create one under{' '}
        <Anchor component={Link} href="/customers">
          Customers
        </Anchor>
        .
      </Text>
    );
  }
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        create.mutate({ email: email.trim(), firstName: firstName.trim(), lastName: lastName.trim(), customer: customer.id });
      }}
    >
      <Stack>
        {create.error && (
          <Alert color="red" role="alert">
            {messageOf(create.error)}
          </Alert>
        )}
        <TextInput label="E-mail" type="email" required withAsterisk={false} value={email} onChange={(e) => setEmail(e.currentTarget.value)} data-autofocus />
        <Group grow>
          <TextInput label="First name" value={firstName} onChange={(e) => setFirstName(e.currentTarget.value)} />
          <TextInput label="Last name" value={lastName} onChange={(e) => setLastName(e.currentTarget.value)} />
        </Group>
        <NativeSelect
          label="Customer"
          data={customers.map((c) => ({ value: c.id.id, label: c.title }))}
          value={customer.id.id}
          onChange={(e) => setChosen(e.currentTarget.value)}
        />
        <Group justify="flex-end" gap="sm">
          <Button variant="default" onClick={onDone}>
            Cancel
          </Button>
          <Button type="submit" loading={create.isPending}>
            Create user
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
