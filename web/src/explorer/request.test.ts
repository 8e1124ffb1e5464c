import { expect, test } from 'vitest';
import { withSession } from './request';

const tokens = (token: string | undefined) => ({ accessToken: () => Promise.resolve(token), renew: () => Promise.resolve(undefined) });
const ask = async (url: string, headers: Record<string, string> = {}, token: string | undefined = 'mine') =>
  (await withSession(tokens(token), { url, headers }, 'https://tide.example')).headers;

test('calls of this server carry the session of the web app', async () => {
  expect(await ask('https://tide.example/api/auth/user')).toEqual({ 'X-Authorization': 'Bearer mine' });
  expect(await ask('/api/auth/user')).toEqual({ 'X-Authorization': 'Bearer mine' });
});

test('a token of its own wins, nobody has none, and no other server sees one', async () => {
  expect(await ask('/api/auth/user', { Authorization: 'Bearer other' })).toEqual({ Authorization: 'Bearer other' });
  expect((await withSession(tokens(undefined), { url: '/api/auth/user', headers: {} }, 'https://tide.example')).headers).toEqual({});
  expect(await ask('https://elsewhere.example/api/auth/user')).toEqual({});
  expect(await ask('/openapi.yaml')).toEqual({});
});
