import { Alert, Anchor, Button, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { Link, useLocation, useSearchParams } from 'wouter';
import { activateUser } from '../api';
import { useServices } from '../backend/services';
import { Door } from './Door';
import { NewPassword, passwordProblem } from './NewPassword';
import { useSubmit } from './useSubmit';

/** An invited user chooses the first password and is logged in. */
export function ActivatePage() {
  const { session } = useServices();
  const [, navigate] = useLocation();
  const [params] = useSearchParams();
  const activateToken = params.get('activateToken') ?? '';
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');
  const { busy, error, onSubmit } = useSubmit(async () => {
    const problem = passwordProblem(password, again);
    if (problem) throw new Error(problem);
    session.adopt((await activateUser({ body: { activateToken, password } })).data);
    navigate('/devices', { replace: true });
  });
  if (!activateToken) {
    return (
      <Door title="Activate your account">
        <Text size="sm">
          The link is not complete. Ask the person who invited you for it again, or <Anchor component={Link} href="/login">log in</Anchor>.
        </Text>
      </Door>
    );
  }
  return (
    <Door title="Activate your account" text="Choose a password. The link works once.">
      <form onSubmit={onSubmit}>
        <Stack>
          {error && (
            <Alert color="red" role="alert">
              {error}
            </Alert>
          )}
          <NewPassword password={password} again={again} onPassword={setPassword} onAgain={setAgain} />
          <Button type="submit" loading={busy} fullWidth mt="xs">
            Set the password
          </Button>
        </Stack>
      </form>
    </Door>
  );
}
