import { Alert, Button, Checkbox, Group, MultiSelect, NativeSelect, Stack, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useState } from 'react';
import { useCreateToken, type ApiTokenScope } from '../backend/access';
import { messageOf } from '../backend/errors';
import { useDevices } from '../backend/queries';
import { expiryOf, lifetimes, scopeNames } from './scopes';
import { TokenText } from './TokenText';

const scopes = Object.keys(scopeNames) as ApiTokenScope[];

/** Asks what a token is for, and shows its text. */
export function NewToken({ onDone }: { onDone: () => void }) {
  const [name, setName] = useState('');
  const [chosen, setChosen] = useState<ApiTokenScope[]>(['read:telemetry']);
  const [days, setDays] = useState('90');
  const [entities, setEntities] = useState<string[]>([]);
  const create = useCreateToken();
  if (create.data) return <TokenText what="token" header="Authorization: Bearer" text={create.data.token} onDone={onDone} />;
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        create.mutate({ name: name.trim(), scopes: chosen, entities, expires: expiryOf(days, Date.now()) });
      }}
    >
      <Stack>
        {create.error && (
          <Alert color="red" role="alert">
            {messageOf(create.error)}
          </Alert>
        )}
        <TextInput
          label="Name"
          description="What it is for"
          required
          withAsterisk={false}
          maxLength={255}
          value={name}
          onChange={(e) => setName(e.currentTarget.value)}
          data-autofocus
        />
        <Checkbox.Group label="It may" value={chosen} onChange={setChosen}>
          <Stack gap="xs" mt={6}>
            {scopes.map((scope) => (
              <Checkbox key={scope} value={scope} label={scopeNames[scope]} />
            ))}
          </Stack>
        </Checkbox.Group>
        <Devices chosen={entities} onChange={setEntities} />
        <NativeSelect label="Expires" data={lifetimes} value={days} onChange={(e) => setDays(e.currentTarget.value)} />
        <Group justify="flex-end" gap="sm">
          <Button variant="default" onClick={onDone}>
            Cancel
          </Button>
          <Button type="submit" loading={create.isPending} disabled={name.trim() === '' || chosen.length === 0}>
            Create token
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** Which devices a token is for. What was chosen keeps its name while another search is shown. */
function Devices({ chosen, onChange }: { chosen: string[]; onChange: (ids: string[]) => void }) {
  const [search, setSearch] = useState('');
  const [textSearch] = useDebouncedValue(search.trim(), 250);
  const [names, setNames] = useState<Record<string, string>>({});
  const found = useDevices({ page: 0, pageSize: 50, textSearch, sortProperty: 'name' });
  const shown = Object.fromEntries((found.data?.data ?? []).map((device) => [device.id.id, device.name]));
  const data = Object.entries({ ...names, ...shown }).map(([value, label]) => ({ value, label }));
  return (
    <MultiSelect
      label="Only for these devices"
      placeholder={chosen.length === 0 ? 'All of the tenant' : ''}
      searchable
      clearable
      hidePickedOptions
      nothingFoundMessage="No device matches"
      data={data}
      searchValue={search}
      onSearchChange={setSearch}
      value={chosen}
      onChange={(ids) => {
        setNames((known) => Object.fromEntries(ids.map((id) => [id, shown[id] ?? known[id] ?? id])));
        onChange(ids);
      }}
    />
  );
}
