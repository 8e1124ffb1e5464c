import type { ApiTokenScope } from '../backend/access';

/** What a token with a scope may do, for people. */
export const scopeNames: Record<ApiTokenScope, string> = {
  'read:telemetry': 'Read telemetry',
  'write:telemetry': 'Write telemetry',
  rpc: 'Send commands',
  admin: 'Administer the tenant',
};

const day = 24 * 60 * 60 * 1000;

/** How long a new token may live, days as the choice's value; 0 means without end. */
export const lifetimes = [
  { value: '30', label: '30 days' },
  { value: '90', label: '90 days' },
  { value: '365', label: 'One year' },
  { value: '0', label: 'Without end' },
];

/** When a token made now ends, ms; null means never. */
export function expiryOf(days: string, now: number): number | null {
  const n = Number(days);
  return n > 0 ? now + n * day : null;
}
