import { useState, type SyntheticEvent } from 'react';
import { messageOf } from '../backend/errors';

/** A form's one action: runs it once at a time and keeps what went wrong. */
export function useSubmit(action: () => Promise<void>) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string>();
  const onSubmit = (event: SyntheticEvent) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setError(undefined);
    action().then(
      () => setBusy(false),
      (reason: unknown) => {
        setBusy(false);
        setError(messageOf(reason));
      },
    );
  };
  return { busy, error, setError, onSubmit };
}
