import { Alert, Anchor, Button, Stack, Text, TextInput } from '@mantine/core';
import { useState } from 'react';
import { Link, useLocation, useSearchParams } from 'wouter';
import { requestPasswordReset, resetPassword } from '../api';
import { useServices } from '../backend/services';
import { Door } from './Door';
import { NewPassword, passwordProblem } from './NewPassword';
import { useSubmit } from './useSubmit';

/** A forgotten password: without the token of a link it asks for one, with it for a new password. */
export function ResetPage() {
  const [params] = useSearchParams();
  const resetToken = params.get('resetToken') ?? '';
  return resetToken ? <ChoosePassword resetToken={resetToken} /> : <AskForLink />;
}

function AskForLink() {
  const [email, setEmail] = useState('');
  const [sent, setSent] = useState(false);
  const { busy, error, onSubmit } = useSubmit(async () => {
    await requestPasswordReset({ body: { email: email.trim() } });
    setSent(true);
  });
  if (sent) {
    return (
      <Door title="Look into your mailbox">
        <Text size="sm">
          If there is an account with this address, a link is on its way. It works once, for a day.{' '}
          <Anchor component={Link} href="/login">
            Back to the log-in
          </Anchor>
        </Text>
      </Door>
    );
  }
  return (
    <Door title="Forgot your password?" text="You get a link to choose another one.">
      <form onSubmit={onSubmit}>
        <Stack>
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
          <Button type="submit" loading={busy} fullWidth mt="xs">
            Send the link
          </Button>
          <Anchor component={Link} href="/login" size="sm" ta="center">
            Back to the log-in
          </Anchor>
        </Stack>
      </form>
    </Door>
  );
}

function ChoosePassword({ resetToken }: { resetToken: string }) {
  const { session } = useServices();
  const [, navigate] = useLocation();
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');
  const { busy, error, onSubmit } = useSubmit(async () => {
    const problem = passwordProblem(password, again);
    if (problem) throw new Error(problem);
    session.adopt((await resetPassword({ body: { resetToken, password } })).data);
    navigate('/devices', { replace: true });
  });
  return (
    <Door title="Another password" text="Whoever is logged in as you is logged out. The link works once.">
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
