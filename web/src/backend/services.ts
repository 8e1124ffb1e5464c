import { QueryClient } from '@tanstack/react-query';
import { createContext, useContext, useSyncExternalStore } from 'react';
import { LiveClient, type LiveStatus, type Socket } from '../live/client';
import { LatestStores, type LatestState, type LatestValues } from '../live/latest';
import type { Topic } from '../live/protocol';
import type { Session, SessionState } from '../session/session';
import { ApiError, isForbidden, isNotFound } from './errors';
import { createSession } from './session';

/** What lives as long as the page. */
export interface Services {
  session: Session;
  live: LiveClient;
  latest: LatestStores;
  queries: QueryClient;
}

export function createServices(): Services {
  const session = createSession();

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
