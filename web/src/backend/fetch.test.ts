import { describe, expect, test } from 'vitest';
import { toApiError } from './errors';
import { authorizedFetch, type TokenSource } from './fetch';

const origin = 'http://tidewire.test';

function setup(answers: Response[]) {
  const sent: { url: string; token: string | null; body: string }[] = [];
  const send = async (input: RequestInfo | URL) => {
    const request = input as Request;
    sent.push({ url: request.url, token: request.headers.get('X-Authorization'), body: await request.text() });
    return answers.shift() ?? new Response('{}');
  };
  const renewed: string[] = [];
  const source: TokenSource = {
    accessToken: () => Promise.resolve('old'),
    renew: (stale) => {
      renewed.push(stale);
      return Promise.resolve('new');
    },
  };
  return { call: authorizedFetch(source, send), sent, renewed };
}

describe('a request', () => {
  test('carries the token, and is sent again with a new one and its body when that has expired', async () => {
    const { call, sent, renewed } = setup([new Response('{"errorCode":11}', { status: 401 })]);
    const response = await call(`${origin}/api/device`, { method: 'POST', body: '{"name":"a"}' });
    expect(response.status).toBe(200);
    expect(renewed).toEqual(['old']);
    expect(sent.map((s) => [s.token, s.body])).toEqual([['Bearer old', '{"name":"a"}'], ['Bearer new', '{"name":"a"}']]);
  });

  test('that is refused twice is not sent a third time', async () => {
    const refused = () => new Response('', { status: 401 });
    const { call, sent } = setup([refused(), refused(), refused()]);
    expect((await call(`${origin}/api/device`)).status).toBe(401);
    expect(sent).toHaveLength(2);
  });

  test.each(['/api/auth/login', '/api/auth/token', '/api/noauth/setup'])('to %s carries none', async (path) => {
    const { call, sent } = setup([]);
    await call(origin + path, { method: 'POST' });
    expect(sent[0]?.token).toBeNull();
  });
});

describe('a failure', () => {
  test('reads from JSON, from text, and from nothing', () => {
    const answer = new Response('', { status: 404, statusText: 'Not Found' });
    expect(toApiError({ message: 'Requested item', errorCode: 32 }, answer)).toMatchObject({ message: 'Requested item', status: 404, code: 32 });
    expect(toApiError("Device with requested id wasn't found!", answer).message).toBe("Device with requested id wasn't found!");
    expect(toApiError('<html>', answer).message).toBe('The server answered 404 Not Found.');
    expect(toApiError(new TypeError('Failed to fetch'), undefined)).toMatchObject({ status: 0, message: 'The server cannot be reached.' });
  });
});
