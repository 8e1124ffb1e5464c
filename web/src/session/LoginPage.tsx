import { Alert, Anchor, Button, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'wouter';
import { getSetup } from '../api';
import { useServices, useSession } from '../backend/services';
import { Door } from './Door';
import { useSubmit } from './useSubmit';

export function LoginPage() {
  const { session } = useServices();
  const { ended } = useSession();
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const { busy, error, onSubmit } = useSubmit(() => session.login(email.trim(), password));
  const setup = useQuery({ queryKey: ['setup'], queryFn: async () => (await getSetup()).data, retry: false });
  return (
    <Door title="Log in">
      <form onSubmit={onSubmit}>
        <Stack>
          {setup.data?.open && (
            <Alert color="tide" role="note" p="sm">
              <Text size="sm">For a tenant of your own, open the one-time setup link that the server printed.</Text>
            </Alert>
          )}
          {ended && !error && (
            <Alert color="orange" role="alert">
              {ended}
            </Alert>
          )}
          {error && (
            <Alert color="red" role="alert">
              {error}
            </Alert>
          )}
          <TextInput
            label="E-mail"
            type="email"
            name="username"
            autoComplete="username"
            required
            withAsterisk={false}
            value={email}
            onChange={(e) => setEmail(e.currentTarget.value)}
            data-autofocus
          />
          <PasswordInput
            label="Password"
            name="password"
            autoComplete="current-password"
            required
            withAsterisk={false}
            value={password}
            onChange={(e) => setPassword(e.currentTarget.value)}
            visibilityToggleButtonProps={{ 'aria-label': 'Show the password' }}
          />
          <Button type="submit" loading={busy} fullWidth mt="xs">
            Log in
          </Button>
          <Anchor component={Link} href="/login/resetPassword" size="sm" ta="center">
            Forgot your password?
          </Anchor>
          <Text size="xs" c="dimmed" ta="center">
            The API behind this page: <Anchor href="/openapi.yaml">openapi.yaml</Anchor>
          </Text>
        </Stack>
      </form>
    </Door>
  );
}
