import { Box, Button, Group, Text, Transition } from '@mantine/core';
import { useEffect, useState } from 'react';
import { useLiveStatus, useServices } from '../backend/services';
import { CheckIcon, WarnIcon } from './icons';

/** Says that live updates stopped, and that they are back. */
export function ConnectionBanner() {
  const { live } = useServices();
  const { phase, recoveries } = useLiveStatus();
  const [seen, setSeen] = useState(recoveries);
  const back = phase === 'open' && recoveries > seen;
  const lost = phase === 'lost';

  useEffect(() => {
    if (!back) return;
    const timer = setTimeout(() => setSeen(recoveries), 5000);
    return () => clearTimeout(timer);
  }, [back, recoveries]);

  return (
    <Box role="status" aria-live="polite" pos="fixed" bottom={20} left="50%" style={{ transform: 'translateX(-50%)', zIndex: 400 }} data-testid="connection">
      <Transition mounted={lost || back} transition="slide-up" duration={200}>
        {(style) => (
          <Group
            style={{ ...style, borderRadius: 999, boxShadow: '0 8px 30px rgb(0 0 0 / 22%)', whiteSpace: 'nowrap' }}
            bg={lost ? 'orange.8' : 'teal.8'}
            c="white"
            px="md"
            py={8}
            gap="sm"
            wrap="nowrap"
          >
            {lost ? <WarnIcon /> : <CheckIcon />}
            <Text size="sm" fw={550}>
              {lost ? 'Connection lost – reconnecting…' : 'Reconnected'}
            </Text>
            {lost && (
              <Button size="compact-xs" color="orange" variant="white" onClick={() => live.wake()}>
                Try now
              </Button>
            )}
          </Group>
        )}
      </Transition>
    </Box>
  );
}
