import { client } from '../api/client.gen';
import * as api from '../api';
import { RefusedError, Session } from '../session/session';
import { tokensKey } from '../session/tokens';
import { ApiError, toApiError } from './errors';
import { authorizedFetch } from './fetch';

/** The session of this browser, which the generated client sends its requests with. */
export function createSession(): Session {
  const session = new Session({
    store: window.localStorage,
    exclusive: (work) =>
      // Absent on plain http beyond localhost; two tabs then rarely renew in one instant,
      // and the one that loses takes over what the other stored.
      'locks' in navigator ? navigator.locks.request('tidewire.renew', work) : work(),
    calls: {
      login: async (username, password) => (await api.login({ body: { username, password } })).data,
      refresh: async (refreshToken) => {
        try {
          return (await api.refreshToken({ body: { refreshToken } })).data;
        } catch (error) {
          if (error instanceof ApiError && error.status === 401) throw new RefusedError(error.message);
          throw error;
        }
      },
      logout: async (token) => {
        await api.logout({ headers: { 'X-Authorization': `Bearer ${token}` } });
      },
    },
  });
  window.addEventListener('storage', (event) => {
    if (event.key === tokensKey || event.key === null) session.reload();
  });

  client.setConfig({
    baseUrl: window.location.origin,
    throwOnError: true,
    fetch: authorizedFetch(session, (input, init) => window.fetch(input, init)),
  });
  client.interceptors.error.use((error, response) => toApiError(error, response));
  return session;
}
