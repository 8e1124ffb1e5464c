import { describe, expect, test, vi } from 'vitest';
import { RefusedError, Session, type SessionCalls } from './session';
import { readClaims, tokensKey, type Tokens } from './tokens';

function jwt(claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'HS512' })}.${part(claims)}.signature`;
}

function memory(initial?: Tokens) {
  const map = new Map<string, string>();
  if (initial) map.set(tokensKey, JSON.stringify(initial));
  return {
    getItem: (key: string) => map.get(key) ?? null,
    setItem: (key: string, value: string) => void map.set(key, value),
    removeItem: (key: string) => void map.delete(key),
  };
}

const pair = (n: number, exp: number): Tokens => ({ token: jwt({ sub: 'a@b.c', n, exp }), refreshToken: `refresh-${n}` });

function calls(overrides: Partial<SessionCalls> = {}): SessionCalls {
  return {
    login: () => Promise.resolve(pair(1, 9000)),
    refresh: () => Promise.resolve(pair(2, 18000)),
    logout: () => Promise.resolve(),
    ...overrides,
  };
}

describe('claims', () => {
  test('are read from a token, with names outside ASCII', () => {
    const claims = readClaims(jwt({ sub: 'a@b.c', scopes: ['TENANT_ADMIN'], firstName: 'Zoë', lastName: 'Ø', exp: 12 }));
    expect(claims).toMatchObject({ email: 'a@b.c', authority: 'TENANT_ADMIN', name: 'Zoë Ø', expires: 12_000 });
  });

  test('of something that is no token are undefined', () => {
    expect(readClaims('nonsense')).toBeUndefined();
    expect(readClaims('a.!!!.c')).toBeUndefined();
  });
});

describe('a session', () => {
  test('hands out its token while that is good, and renews it a minute before its end', async () => {
    let now = 0;
    const refresh = vi.fn(() => Promise.resolve(pair(2, 18000)));
    const session = new Session({ calls: calls({ refresh }), store: memory(pair(1, 9000)), now: () => now });
    expect(await session.accessToken()).toBe(pair(1, 9000).token);
    now = 8_950_000;
    expect(await session.accessToken()).toBe(pair(2, 18000).token);
    expect(refresh).toHaveBeenCalledWith('refresh-1');
  });

  test('renews once for many requests that were refused together', async () => {
    const refresh = vi.fn(() => Promise.resolve(pair(2, 18000)));
    const session = new Session({ calls: calls({ refresh }), store: memory(pair(1, 9000)), now: () => 0 });
    const stale = pair(1, 9000).token;
    const tokens = await Promise.all([session.renew(stale), session.renew(stale), session.renew(stale)]);
    expect(new Set(tokens)).toEqual(new Set([pair(2, 18000).token]));
    expect(await session.renew(stale)).toBe(pair(2, 18000).token);
    expect(refresh).toHaveBeenCalledTimes(1);
  });

  test('ends with a reason when the server refuses the refresh token', async () => {
    const refresh = () => Promise.reject(new RefusedError('Token has expired'));
    const store = memory(pair(1, 1));
    const session = new Session({ calls: calls({ refresh }), store, now: () => 5000 });
    expect(await session.accessToken()).toBeUndefined();
    expect(session.snapshot().ended).toMatch(/session has ended/);
    expect(store.getItem(tokensKey)).toBeNull();
  });

  test('survives a server that cannot be reached', async () => {
    const refresh = () => Promise.reject(new TypeError('Failed to fetch'));
    const session = new Session({ calls: calls({ refresh }), store: memory(pair(1, 1)), now: () => 5000 });
    await expect(session.accessToken()).rejects.toThrow('Failed to fetch');
    expect(session.snapshot().claims?.email).toBe('a@b.c');
  });

  test('uses the pair another tab renewed in place of renewing again', async () => {
    const store = memory(pair(1, 1));
    const refresh = vi.fn(() => Promise.resolve(pair(3, 18000)));
    const session = new Session({ calls: calls({ refresh }), store, now: () => 5000 });
    store.setItem(tokensKey, JSON.stringify(pair(2, 9000)));
    expect(await session.accessToken()).toBe(pair(2, 9000).token);
    expect(refresh).not.toHaveBeenCalled();
  });

  test('is over at once on log-out, even when the server is not there', async () => {
    const session = new Session({
      calls: calls({ logout: () => Promise.reject(new TypeError('Failed to fetch')) }),
      store: memory(pair(1, 9000)),
      now: () => 0,
    });
    await session.logout();
    expect(session.snapshot().claims).toBeUndefined();
    expect(await session.accessToken()).toBeUndefined();
  });
});
