import { expect, test } from 'vitest';
import { LatestStores } from './latest';
import type { LiveClient, Listener } from './client';
import type { Topic } from './protocol';

const topic: Topic = { type: 'TIMESERIES', entity: { entityType: 'DEVICE', id: 'a' } };

function setup() {
  const listeners: Listener[] = [];
  let stopped = 0;
  const live = {
    subscribe: (_: Topic, listener: Listener) => {
      listeners.push(listener);
      return () => {
        stopped++;
      };
    },
  } as unknown as LiveClient;
  return { stores: new LatestStores(live), listeners, stopped: () => stopped };
}

test('two views of one device share one subscription, and the last one ends it', () => {
  const { stores, listeners, stopped } = setup();
  const store = stores.of(topic);
  expect(stores.of({ ...topic })).toBe(store);
  const [first, second] = [store.subscribe(() => undefined), store.onPoints(() => undefined)];
  expect(listeners).toHaveLength(1);
  first();
  expect(stopped()).toBe(0);
  second();
  expect(stopped()).toBe(1);
  expect(stores.of(topic)).not.toBe(store);
});

test('a late point never replaces a newer one; a deleted key goes', () => {
  const { stores, listeners } = setup();
  const store = stores.of(topic);
  store.subscribe(() => undefined);
  const live = listeners[0] as Listener;
  live.update({ data: { t: [[10, '1']], u: [[10, '2']] }, deleted: [] }, true);
  const before = store.snapshot().values.get('t');
  live.update({ data: { t: [[5, '9']] }, deleted: ['u'] }, false);
  expect([...store.snapshot().values.keys()]).toEqual(['t']);
  expect(store.snapshot().values.get('t')).toBe(before);
  live.update({ data: { t: [[12, '3'], [11, '4']] }, deleted: [] }, false);
  expect(store.snapshot().values.get('t')).toMatchObject({ ts: 12, value: '3' });
});

test('the snapshot after a reconnect drops keys deleted meanwhile and marks only what changed', () => {
  const { stores, listeners } = setup();
  const store = stores.of(topic);
  store.subscribe(() => undefined);
  const live = listeners[0] as Listener;
  live.update({ data: { same: [[10, '1']], gone: [[10, '2']] }, deleted: [] }, true);
  const same = store.snapshot().values.get('same');
  live.update({ data: { same: [[10, '1']] }, deleted: [] }, true);
  expect(store.snapshot().values).toEqual(new Map([['same', same]]));
  expect(store.snapshot().values.get('same')).toBe(same);
});
