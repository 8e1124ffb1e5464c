import type { TokenSource } from '../backend/fetch';

/**
 * Adds the token of the web app's session to a call of this server that brings none of its own
 * (the explorer's Authorize dialog is for API tokens).
 */
export async function withSession<R extends { url: string; headers: Record<string, string> }>(
  tokens: TokenSource,
  request: R,
  origin: string,
): Promise<R> {
  const to = new URL(request.url, origin);
  const own = Object.keys(request.headers).some((name) => ['authorization', 'x-authorization'].includes(name.toLowerCase()));
  if (to.origin !== origin || !to.pathname.startsWith('/api/') || own) return request;
  const token = await tokens.accessToken();
  if (token) request.headers['X-Authorization'] = `Bearer ${token}`;
  return request;
}
