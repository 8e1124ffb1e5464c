/** The part of a session that requests need. */
export interface TokenSource {
  accessToken(): Promise<string | undefined>;
  renew(stale: string): Promise<string | undefined>;
}

/** Routes that are asked without a token. */
const open = /^\/api\/(noauth\/|auth\/(login|token)$)/;

/**
 * A fetch that carries the session's token, and asks once more with a new one when the server
 * says that it has expired.
 */
export function authorizedFetch(tokens: TokenSource, send: typeof fetch): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    if (open.test(new URL(request.url).pathname) || request.headers.has('X-Authorization')) return send(request);
    const token = await tokens.accessToken();
    if (!token) return send(request);
    const retry = request.clone(); // a body can be read once only
    request.headers.set('X-Authorization', `Bearer ${token}`);
    const response = await send(request);
    if (response.status !== 401) return response;
    const fresh = await tokens.renew(token);
    if (!fresh) return response;
    retry.headers.set('X-Authorization', `Bearer ${fresh}`);
    return send(retry);
  };
}
