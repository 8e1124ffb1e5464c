import { expect, test } from 'vitest';
import { expiryOf, lifetimes } from './scopes';

test('a lifetime becomes an instant, and none is none', () => {
  expect(expiryOf('30', 1_000)).toBe(1_000 + 30 * 86_400_000);
  expect(expiryOf('0', 1_000)).toBeNull();
  for (const { value } of lifetimes) expect(expiryOf(value, 5) === null).toBe(value === '0');
});
