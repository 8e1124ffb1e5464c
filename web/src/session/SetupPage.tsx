import { Alert, Anchor, Button, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import { Link, useLocation, useSearchParams } from 'wouter';
import { completeSetup } from '../api';
import { useServices } from '../backend/services';
import { Door } from './Door';
import { NewPassword, passwordProblem, shortestPassword } from './NewPassword';
import { useSubmit } from './useSubmit';

/** The first run: the one-time link of the server's start makes the first administrator. */
export function SetupPage() {
  const { session } = useServices();
  const [, navigate] = useLocation();
  const [params] = useSearchParams();
  const token = params.get('token') ?? '';
  const [tenant, setTenant] = useState('');
  const [email, setEmail] = useState('');
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');
  const [systemEmail, setSystemEmail] = useState('');
  const [systemPassword, setSystemPassword] = useState('');
  const { busy, error, onSubmit } = useSubmit(async () => {
    const problem = passwordProblem(password, again);
    if (problem) throw new Error(problem);
    const systemAdmin = { email: systemEmail.trim(), password: systemPassword };
    if (systemAdmin.email && systemPassword.length < shortestPassword) throw new Error(`The system administrator's password has at least ${shortestPassword} characters.`);
    const title = tenant.trim();
    const { data } = await completeSetup({
      body: {
        token,
        admin: { email: email.trim(), password },
        ...(title ? { tenantTitle: title } : {}),
        ...(systemAdmin.email ? { systemAdmin } : {}),
      },
    });
    session.adopt(data);
    navigate('/devices', { replace: true });
  });
  if (!token) {
    return (
      <Door title="Set up Tidewire">
        <Text size="sm">
          This page needs the one-time link that the server printed when it started. Already set up? <Anchor component={Link} href="/login">Log in</Anchor>.
        </Text>
      </Door>
    );
  }
  return (
    <Door title="Set up Tidewire" text="Choose the account of the first administrator. The link works once.">
      <form onSubmit={onSubmit}>
        <Stack>
          {error && (
            <Alert color="red" role="alert">
              {error}
            </Alert>
          )}
          <TextInput label="Organisation" description="Optional; names your tenant" name="organization" autoComplete="organization" value={tenant} onChange={(e) => setTenant(e.currentTarget.value)} />
          <TextInput label="E-mail" type="email" name="username" autoComplete="username" required withAsterisk={false} value={email} onChange={(e) => setEmail(e.currentTarget.value)} />
          <NewPassword password={password} again={again} onPassword={setPassword} onAgain={setAgain} />
          <TextInput
            label="E-mail of the system administrator"
            description="Optional, another address than yours; manages tenants and their limits, and makes backups of the running server"
            type="email"
            name="system-username"
            autoComplete="off"
            value={systemEmail}
            onChange={(e) => setSystemEmail(e.currentTarget.value)}
          />
          {systemEmail.trim() && (
            <PasswordInput
              label="Secret of the system administrator"
              description={`A password of at least ${shortestPassword} characters`}
              name="system-password"
              autoComplete="new-password"
              required
              withAsterisk={false}
              value={systemPassword}
              onChange={(e) => setSystemPassword(e.currentTarget.value)}
              visibilityToggleButtonProps={{ 'aria-label': 'Show the secret' }}
            />
          )}
          <Button type="submit" loading={busy} fullWidth mt="xs">
            Create the account
          </Button>
        </Stack>
      </form>
    </Door>
  );
}
