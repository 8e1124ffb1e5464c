import { useEffect, useState, useSyncExternalStore } from 'react';
import { fetchExtent, fetchHistory } from '../backend/queries';
import { useLiveStatus, useServices, type Services } from '../backend/services';
import { ChartFeed, type FeedRequest, type FeedState } from './feed';

function createFeed(services: Services): ChartFeed {
  return new ChartFeed({
    history: fetchHistory,
    extent: fetchExtent,
    onPoints: (entity, listener) => services.latest.of({ type: 'TIMESERIES', entity }).onPoints(listener),
  });
}

/** Loads and follows what is asked for; equal requests are one, whatever object they are. */
export function useFeed(request: FeedRequest): { feed: ChartFeed; state: FeedState } {
  const services = useServices();
  const { recoveries } = useLiveStatus();
  const [feed] = useState(() => createFeed(services));
  const key = JSON.stringify(request);
  useEffect(() => {
    feed.ask(JSON.parse(key) as FeedRequest);
    return () => feed.stop();
  }, [feed, key]);
  useEffect(() => {
    // What came while the connection was down is in the history only.
    if (recoveries > 0) void feed.load();
  }, [feed, recoveries]);
  const state = useSyncExternalStore(feed.subscribe, feed.snapshot);
  return { feed, state };
}
