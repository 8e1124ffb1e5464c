import { PasswordInput } from '@mantine/core';

export const shortestPassword = 8;

/** Why a pair of password fields cannot be sent; undefined when it can. */
export function passwordProblem(password: string, again: string): string | undefined {
  if (password.length < shortestPassword) return `A password has at least ${shortestPassword} characters.`;
  if (password !== again) return 'The two passwords differ.';
  return undefined;
}

interface Props {
  password: string;
  again: string;
  onPassword: (value: string) => void;
  onAgain: (value: string) => void;
}

/** A new password, typed twice. */
export function NewPassword({ password, again, onPassword, onAgain }: Props) {
  const toggle = { 'aria-label': 'Show the password' };
  return (
    <>
      <PasswordInput
        label="Password"
        description={`At least ${shortestPassword} characters`}
        name="new-password"
        autoComplete="new-password"
        required
        withAsterisk={false}
        value={password}
        onChange={(e) => onPassword(e.currentTarget.value)}
        visibilityToggleButtonProps={toggle}
      />
      <PasswordInput
        label="Password again"
        name="new-password-again"
        autoComplete="new-password"
        required
        withAsterisk={false}
        value={again}
        onChange={(e) => onAgain(e.currentTarget.value)}
        visibilityToggleButtonProps={toggle}
      />
    </>
  );
}
