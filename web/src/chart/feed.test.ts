import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ChartFeed, rawLimit, type FeedLine, type FeedRequest, type FeedSource, type History, type HistoryQuery } from './feed';

const entity = { entityType: 'DEVICE', id: 'a' };
const line: FeedLine = { id: 't', entity, key: 't' };
const flag: FeedLine = { id: 'on', entity, key: 'on', boolean: true };
const start = 1_700_000_000_000;

/** A server with points of one key a second; averages by the contract's buckets. */
function setup() {
  const stored = new Map<number, number>();
  const queries: HistoryQuery[] = [];
  const listeners = new Set<(points: History) => void>();
  let failing: Error | undefined;
  const source: FeedSource = {
    now: () => Date.now(),
    history: (_, query) => {
      queries.push(query);
      if (failing) return Promise.reject(failing);
      const inside = [...stored].filter(([ts]) => ts >= query.from && ts < query.to).sort((a, b) => b[0] - a[0]);
      const answer = Object.fromEntries(
        query.keys.map((key) => {
          if (query.agg === 'NONE') return [key, inside.slice(0, query.limit).map(([ts, v]) => [ts, String(v)] as const)];
          const buckets = new Map<number, number[]>();
          for (const [ts, v] of inside) {
            const at = query.from + Math.floor((ts - query.from) / query.interval) * query.interval + query.interval / 2;
            buckets.set(at, [...(buckets.get(at) ?? []), v]);
          }
          return [key, [...buckets].map(([ts, vs]) => [ts, String(vs.reduce((a, b) => a + b) / vs.length)] as const)];
        }),
      );
      return Promise.resolve(answer);
    },
    extent: () => Promise.resolve(stored.size > 0 ? { from: Math.min(...stored.keys()), to: Math.max(...stored.keys()) } : undefined),
    onPoints: (_, listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const feed = new ChartFeed(source);
  const arrive = (ts: number, value: number, key = 't') => {
    stored.set(ts, value);
    for (const listener of listeners) listener({ [key]: [[ts, String(value)]] });
  };
  const ask = async (change: Partial<FeedRequest>) => {
    feed.ask({ lines: [line], range: { kind: 'last', ms: 300_000 }, agg: 'AVG', interval: 0, ...change });
    await vi.advanceTimersByTimeAsync(0);
  };
  return { feed, stored, queries, listeners, arrive, ask, fail: (e: Error | undefined) => (failing = e) };
}

beforeEach(() => void vi.useFakeTimers({ now: start }));
afterEach(() => void vi.useRealTimers());

const shown = (feed: ChartFeed, id = 't') => feed.snapshot().points.get(id);

describe('a chart of points', () => {
  test('appends what arrives and repeats nothing, also when it was in the history', async () => {
    const { feed, stored, arrive, ask } = setup();
    for (let i = 10; i > 0; i--) stored.set(start - i * 1000, i);
    await ask({ agg: 'NONE' });
    arrive(start - 1000, 1);
    arrive(start + 5, 7);
    expect(shown(feed)?.ts).toEqual([...Array.from({ length: 10 }, (_, i) => start - (10 - i) * 1000), start + 5]);
  });

  test('keeps a point that arrives while the history is on its way', async () => {
    const { feed, arrive, ask } = setup();
    feed.ask({ lines: [line], range: { kind: 'last', ms: 300_000 }, agg: 'NONE', interval: 0 });
    arrive(start + 500, 3);
    await vi.advanceTimersByTimeAsync(0);
    expect(shown(feed)).toEqual({ ts: [start + 500], values: [3] });
    await ask({ agg: 'NONE' });
    await vi.advanceTimersByTimeAsync(1000);
    expect(shown(feed)).toEqual({ ts: [start + 500], values: [3] });
  });

  test('says when only the newest are shown', async () => {
    const { feed, stored, ask } = setup();
    for (let i = 0; i < rawLimit + 5; i++) stored.set(start - i * 10, i);
    await ask({ agg: 'NONE' });
    expect(feed.snapshot().truncated).toEqual(['t']);
    expect(shown(feed)?.ts).toHaveLength(rawLimit);
  });

  test('forgets what left the window', async () => {
    const { feed, arrive, ask } = setup();
    await ask({ agg: 'NONE', range: { kind: 'last', ms: 10_000 } });
    for (let i = 1; i <= 30; i++) {
      await vi.advanceTimersByTimeAsync(1000);
      arrive(Date.now(), i);
    }
    expect(shown(feed)?.ts[0]).toBe(start + 19_000); // one before the window, from which the line comes
  });
});

describe('a chart of averages', () => {
  test('is exact after live points, as if it were asked for again', async () => {
    const { feed, arrive, ask } = setup();
    await ask({ interval: 10_000 });
    for (let i = 1; i <= 45; i++) {
      await vi.advanceTimersByTimeAsync(1000);
      arrive(Date.now(), i % 7);
    }
    await vi.advanceTimersByTimeAsync(2000);
    const live = shown(feed);
    await feed.load();
    expect(shown(feed)).toEqual(live);
    expect(live?.ts).toHaveLength(5);
  });

  test('asks for the tail at most once a second, and for little', async () => {
    const { queries, arrive, ask } = setup();
    await ask({});
    queries.length = 0;
    for (let i = 1; i <= 100; i++) {
      await vi.advanceTimersByTimeAsync(50);
      arrive(Date.now(), i);
    }
    expect(queries.length).toBeLessThanOrEqual(6);
    for (const query of queries) expect((query.to - query.from) / query.interval).toBeLessThanOrEqual(10);
  });

  test('fetches booleans as points', async () => {
    const { queries, ask } = setup();
    await ask({ lines: [line, flag], interval: 5000 });
    expect(queries.map((q) => [q.keys.join(), q.agg, q.interval])).toEqual([['on', 'NONE', 0], ['t', 'AVG', 5000]]);
    queries.length = 0;
    await ask({ lines: [line, flag], agg: 'COUNT', interval: 5000 });
    expect(queries.map((q) => [q.keys.join(), q.agg])).toEqual([['t,on', 'COUNT']]);
  });

  test('never asks for more buckets than the server answers', async () => {
    const { queries, ask } = setup();
    for (const ms of [1000, 300_000, 3_600_000, 86_400_000, 30 * 86_400_000, 4000 * 86_400_000]) {
      for (const interval of [0, 1000, 60_000, 86_400_000]) await ask({ range: { kind: 'last', ms }, interval });
    }
    for (const query of queries) expect((query.to - query.from) / Math.max(query.interval, 1000)).toBeLessThanOrEqual(700);
  });
});

test('"all" covers first to last point and grows with new ones', async () => {
  const { feed, stored, arrive, ask } = setup();
  stored.set(start - 400_000_000_000, 1);
  await ask({ range: { kind: 'all' } });
  expect(feed.spanNow().from).toBeLessThan(start - 400_000_000_000);
  arrive(start, 2);
  await vi.advanceTimersByTimeAsync(6000);
  expect(feed.spanNow().to).toBeGreaterThanOrEqual(start);
});

test('a fixed range listens to nothing', async () => {
  const { listeners, ask } = setup();
  await ask({});
  expect(listeners.size).toBe(1);
  await ask({ range: { kind: 'fixed', from: 0, to: 1000 } });
  expect(listeners.size).toBe(0);
});

test('a failure is shown, keeps what was there, and goes when the server is back', async () => {
  const { feed, stored, ask, fail } = setup();
  stored.set(start - 1000, 5);
  await ask({ agg: 'NONE' });
  fail(new Error('The server cannot be reached.'));
  await feed.load();
  expect(feed.snapshot().error).toBe('The server cannot be reached.');
  expect(shown(feed)?.values).toEqual([5]);
  fail(undefined);
  await feed.load();
  expect(feed.snapshot().error).toBeUndefined();
});

test('an answer to an earlier request never shows in a later one', async () => {
  const { feed, stored, ask } = setup();
  stored.set(start - 1000, 5);
  feed.ask({ lines: [line], range: { kind: 'last', ms: 300_000 }, agg: 'NONE', interval: 0 });
  feed.ask({ lines: [line], range: { kind: 'fixed', from: 0, to: 1000 }, agg: 'NONE', interval: 0 });
  await vi.advanceTimersByTimeAsync(0);
  expect(shown(feed)?.ts).toEqual([]);
  await ask({});
});

test('a clock a little ahead stays in the picture', async () => {
  const { feed, arrive, ask } = setup();
  await ask({ agg: 'NONE' });
  arrive(start + 60_000, 1);
  expect(feed.spanNow().to).toBe(start + 60_000);
});

test('a feed that was stopped is silent', async () => {
  const { feed, queries, listeners, ask } = setup();
  await ask({});
  feed.stop();
  queries.length = 0;
  await vi.advanceTimersByTimeAsync(60_000);
  expect([queries.length, listeners.size]).toEqual([0, 0]);
});
