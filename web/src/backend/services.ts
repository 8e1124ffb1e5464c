import { QueryClient } from '@tanstack/react-query';
import { createContext, useContext, useSyncExternalStore } from 'react';
import { client } from '../api/client.gen';
import * as api from '../api';
import { LiveClient, type LiveStatus, type Socket } from '../live/client';
import { LatestStores, type LatestState, type LatestValues } from '../live/latest';
import type { Topic } from '../live/protocol';
import { RefusedError, Session, type SessionState } from '../session/session';
import { tokensKey } from '../session/tokens';
import { ApiError, isForbidden, isNotFound, toApiError } from './errors';
import { authorizedFetch } from './fetch';

/** What lives as long as the page. */
export interface Services {
  session: Session;
  live: LiveClient;
  latest: LatestStores;
  queries: QueryClient;
}

export function createServices(): Services {
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

  let lastToken = '';
  const live = new LiveClient({
    open: () => new WebSocket(`${window.location.origin.replace(/^http/, 'ws')}/api/ws`) as Socket,
    token: async (fresh) => {
      const token = fresh ? await session.renew(lastToken) : await session.accessToken();
      lastToken = token ?? '';
      return token;
    },
  });
  window.addEventListener('online', () => live.wake());
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') live.wake();
  });

  const queries = new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: 5000,
        retry: (count, error) => !isNotFound(error) && !isForbidden(error) && error instanceof ApiError && error.status === 0 && count < 2,
      },
    },
  });
  let user = session.snapshot().claims?.userId;
  session.subscribe(() => {
    const next = session.snapshot().claims?.userId;
    if (next === user) return;
    user = next;
    // What one user saw must not show to the next.
    queries.clear();
    live.stop();
  });
  // What was missed while the connection was down is asked for again.
  let recoveries = 0;
  live.subscribeStatus(() => {
    if (live.snapshot().recoveries === recoveries) return;
    recoveries = live.snapshot().recoveries;
    void queries.invalidateQueries();
  });
  return { session, live, latest: new LatestStores(live), queries };
}

export const ServicesContext = createContext<Services | undefined>(undefined);

export function useServices(): Services {
  const services = useContext(ServicesContext);
  if (!services) throw new Error('ServicesContext is missing');
  return services;
}

export function useSession(): SessionState {
  const { session } = useServices();
  return useSyncExternalStore(session.subscribe, session.snapshot);
}

export function useLiveStatus(): LiveStatus {
  const { live } = useServices();
  return useSyncExternalStore(live.subscribeStatus, live.snapshot);
}

/** Follows all keys of a topic while the calling component is shown. */
export function useLatest(topic: Topic): LatestState {
  const store = useLatestStore(topic);
  return useSyncExternalStore(store.subscribe, store.snapshot);
}

/** The store behind useLatest; of() gives the same one while anyone looks at it. */
export function useLatestStore(topic: Topic): LatestValues {
  return useServices().latest.of(topic);
}
