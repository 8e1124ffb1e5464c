import { Alert, Anchor, Button, Stack, Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import { Link, useLocation, useSearchParams } from 'wouter';
import { completeSetup } from '../api';
import { useServices } from '../backend/services';
import { Door } from './Door';
import { NewPassword, passwordProblem } from './NewPassword';
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
  const { busy, error, onSubmit } = useSubmit(async () => {
    const problem = passwordProblem(password, again);
    if (problem) throw new Error(problem);
    const title = tenant.trim();
    const { data } = await completeSetup({
      body: { token, admin: { email: email.trim(), password }, ...(title ? { tenantTitle: title } : {}) },
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
          <Button type="submit" loading={busy} fullWidth mt="xs">
            Create the account
          </Button>
        </Stack>
      </form>
    </Door>
  );
}
