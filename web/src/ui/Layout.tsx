import { ActionIcon, AppShell, Avatar, Box, Burger, Group, Menu, NavLink, Text, Tooltip, useMantineColorScheme } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import type { ReactNode } from 'react';
import { Link, useLocation } from 'wouter';
import { useLiveStatus, useServices, useSession } from '../backend/services';
import { ConnectionBanner } from './ConnectionBanner';
import { AutoIcon, ClockIcon, CustomersIcon, DashboardsIcon, DevicesIcon, KeyIcon, Logo, LogoutIcon, MoonIcon, SunIcon, UsersIcon } from './icons';

const areas = [
  { href: '/devices', label: 'Devices', icon: <DevicesIcon />, for: ['TENANT_ADMIN', 'CUSTOMER_USER'] },
  { href: '/dashboards', label: 'Dashboards', icon: <DashboardsIcon />, for: ['TENANT_ADMIN', 'CUSTOMER_USER'] },
  { href: '/customers', label: 'Customers', icon: <CustomersIcon />, for: ['TENANT_ADMIN'] },
  { href: '/users', label: 'Users', icon: <UsersIcon />, for: ['TENANT_ADMIN'] },
  { href: '/tokens', label: 'API tokens', icon: <KeyIcon />, for: ['TENANT_ADMIN'] },
  { href: '/audit', label: 'Audit log', icon: <ClockIcon />, for: ['TENANT_ADMIN'] },
];

export function Brand() {
  return (
    <Group gap={10} wrap="nowrap">
      <Logo />
      <Text fw={700} fz={18} style={{ letterSpacing: '-0.02em' }}>
        Tidewire
      </Text>
    </Group>
  );
}

/** auto → light → dark → auto; the label says what is in force and what comes. */
export function SchemeToggle() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const next = { auto: 'light', light: 'dark', dark: 'auto' } as const;
  const icon = { auto: <AutoIcon />, light: <SunIcon />, dark: <MoonIcon /> }[colorScheme];
  const label = `Colours: ${colorScheme}. Change to ${next[colorScheme]}`;
  return (
    <Tooltip label={label} withArrow>
      <ActionIcon variant="subtle" color="gray" size="lg" aria-label={label} onClick={() => setColorScheme(next[colorScheme])}>
        {icon}
      </ActionIcon>
    </Tooltip>
  );
}

function LiveMark() {
  const { phase } = useLiveStatus();
  if (phase === 'idle') return null;
  const text = { connecting: 'Connecting', open: 'Live', lost: 'Offline' }[phase];
  const color = { connecting: 'dimmed', open: 'teal', lost: 'orange' }[phase];
  return (
    <Group gap={7} wrap="nowrap" data-testid="live-state" c={color}>
      <span className="tw-dot" data-beat={phase === 'open'} />
      <Text size="xs" fw={550}>
        {text}
      </Text>
    </Group>
  );
}

function UserMenu() {
  const { session } = useServices();
  const { claims } = useSession();
  const name = claims?.name || claims?.email || '';
  const role = { SYS_ADMIN: 'System administrator', TENANT_ADMIN: 'Tenant administrator', CUSTOMER_USER: 'Customer user' }[
    claims?.authority ?? 'CUSTOMER_USER'
  ];
  return (
    <Menu position="bottom-end" width={230}>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" size="lg" radius="xl" aria-label="Account">
          <Avatar size={30} radius="xl" color="tide" variant="light">
            {name.slice(0, 1).toUpperCase()}
          </Avatar>
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Box px="sm" py={6}>
          <Text size="sm" fw={600} truncate>
            {name}
          </Text>
          <Text size="xs" c="dimmed" truncate>
            {claims?.email !== name ? `${claims?.email ?? ''} · ${role}` : role}
          </Text>
        </Box>
        <Menu.Divider />
        <Menu.Item leftSection={<DevicesIcon size={16} />} component={Link} href="/sessions">
          Your sessions
        </Menu.Item>
        <Menu.Item leftSection={<KeyIcon size={16} />} component={Link} href="/keys">
          Your API keys
        </Menu.Item>
        <Menu.Item component="a" href="/docs" target="_blank">
          API explorer
        </Menu.Item>
        <Menu.Item leftSection={<LogoutIcon size={16} />} onClick={() => void session.logout()}>
          Log out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

export function Layout({ children }: { children: ReactNode }) {
  const [opened, { toggle, close }] = useDisclosure();
  const [location] = useLocation();
  const { claims } = useSession();
  const shown = areas.filter((area) => area.for.includes(claims?.authority ?? ''));
  return (
    <AppShell
      header={{ height: 56 }}
      navbar={{ width: 208, breakpoint: 'sm', collapsed: { mobile: !opened } }}
      padding={{ base: 'sm', sm: 'lg' }}
    >
      <AppShell.Header px="md" bg="var(--tw-panel)" style={{ borderColor: 'var(--tw-line)' }}>
        <a className="tw-skip" href="#main">
          Skip to the content
        </a>
        <Group h="100%" justify="space-between" wrap="nowrap">
          <Group gap="sm" wrap="nowrap">
            <Burger opened={opened} onClick={toggle} hiddenFrom="sm" size="sm" aria-label={opened ? 'Close navigation' : 'Open navigation'} />
            <Link href="/devices" style={{ color: 'inherit', textDecoration: 'none' }} aria-label="Tidewire, devices">
              <Brand />
            </Link>
          </Group>
          <Group gap={6} wrap="nowrap">
            <Box mr={6}>
              <LiveMark />
            </Box>
            <SchemeToggle />
            <UserMenu />
          </Group>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="xs" bg="var(--tw-panel)" style={{ borderColor: 'var(--tw-line)' }} aria-label="Areas">
        {shown.map(({ href, label, icon }) => (
          <NavLink
            key={href}
            component={Link}
            href={href}
            label={label}
            leftSection={icon}
            active={location.startsWith(href)}
            aria-current={location.startsWith(href) ? 'page' : undefined}
            onClick={close}
            style={{ borderRadius: 8, fontWeight: 550 }}
          />
        ))}
      </AppShell.Navbar>
      <AppShell.Main id="main" tabIndex={-1} style={{ outline: 'none' }}>
        <Box maw={1440} mx="auto">
          {children}
        </Box>
      </AppShell.Main>
      <ConnectionBanner />
    </AppShell>
  );
}
