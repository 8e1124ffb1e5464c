import { ActionIcon, Box, Tooltip } from '@mantine/core';
import { useEffect, useState } from 'react';
import { copyText } from './copy';
import { CheckIcon, CopyIcon } from './icons';

/** A button that copies, and says for two seconds that it did. */
export function CopyButton({ text, label }: { text: string; label: string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 2000);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <Tooltip label={copied ? 'Copied' : label} withArrow>
      <ActionIcon
        variant="subtle"
        color={copied ? 'teal' : 'gray'}
        aria-label={copied ? 'Copied' : label}
        onClick={() => void copyText(text).then(setCopied)}
      >
        {copied ? <CheckIcon size={16} /> : <CopyIcon size={16} />}
      </ActionIcon>
    </Tooltip>
  );
}

/** Text for a shell, with a button that copies it. */
export function Code({ text, label, testId }: { text: string; label: string; testId?: string }) {
  return (
    <Box pos="relative">
      <pre className="tw-code" data-testid={testId} tabIndex={0} aria-label={label}>
        {text}
      </pre>
      <Box pos="absolute" top={6} right={6}>
        <CopyButton text={text} label={`Copy ${label}`} />
      </Box>
    </Box>
  );
}
