import type { LiveClient } from './client';
import { topicKey, type Topic, type Update, type WirePoint } from './protocol';

/** The newest value of one key. */
export interface Latest {
  ts: number;
  value: string | null;
  /** Changes when the value does, so that a view can mark the change. */
  version: number;
}

export interface LatestState {
  /** True once the server has answered; before, no keys means nothing. */
  loaded: boolean;
  values: ReadonlyMap<string, Latest>;
  error: string | undefined;
}

/** Every point that arrives, the first answer included; for charts. */
export type PointsListener = (points: Record<string, readonly WirePoint[]>, first: boolean) => void;

const empty: LatestState = { loaded: false, values: new Map(), error: undefined };

/**
 * LatestValues follows all keys of one topic over one subscription, however many views look at
 * it. It is a store for useSyncExternalStore: a snapshot never changes once handed out.
 */
export class LatestValues {
  private state = empty;
  private readonly views = new Set<() => void>();
  private readonly points = new Set<PointsListener>();
  private stop: (() => void) | undefined;
  private version = 0;

  constructor(
    private readonly live: LiveClient,
    private readonly topic: Topic,
    private readonly used: (inUse: boolean) => void,
  ) {}

  readonly snapshot = (): LatestState => this.state;

  readonly subscribe = (view: () => void): (() => void) => {
    this.views.add(view);
    this.start();
    return () => {
      this.views.delete(view);
      this.finish();
    };
  };

  /** Hears the points themselves; the snapshot the store already has is not repeated. */
  onPoints(listener: PointsListener): () => void {
    this.points.add(listener);
    this.start();
    return () => {
      this.points.delete(listener);
      this.finish();
    };
  }

  private start(): void {
    if (this.stop) return;
    this.stop = this.live.subscribe(this.topic, {
      update: (update, first) => this.apply(update, first),
      error: (message) => this.set({ ...this.state, loaded: true, error: message }),
    });
    this.used(true);
  }

  private finish(): void {
    if (this.views.size > 0 || this.points.size > 0) return;
    this.stop?.();
    this.stop = undefined;
    this.used(false);
  }

  private apply(update: Update, first: boolean): void {
    // A snapshot replaces: a key deleted while the connection was down must go.
    const values = new Map(first ? [] : this.state.values);
    for (const key of update.deleted) values.delete(key);
    for (const [key, points] of Object.entries(update.data)) {
      const newest = points.reduce((a, b) => (b[0] >= a[0] ? b : a));
      const known = this.state.values.get(key);
      if (known && known.ts === newest[0] && known.value === newest[1]) {
        values.set(key, known);
      } else if (first || !known || newest[0] >= known.ts) {
        const version = known && known.value === newest[1] ? known.version : ++this.version;
        values.set(key, { ts: newest[0], value: newest[1], version });
      }
    }
    this.set({ loaded: true, values, error: undefined });
    for (const listener of this.points) listener(update.data, first);
  }

  private set(state: LatestState): void {
    this.state = state;
    for (const view of this.views) view();
  }
}

/** LatestStores shares one LatestValues per topic and forgets those nobody looks at. */
export class LatestStores {
  private readonly stores = new Map<string, LatestValues>();

  constructor(private readonly live: LiveClient) {}

  of(topic: Topic): LatestValues {
    const key = topicKey(topic);
    let store = this.stores.get(key);
    if (!store) {
      const made = new LatestValues(this.live, topic, (inUse) => {
        // One view may leave and the next come in one turn of React, with the store in hand.
        if (inUse) this.stores.set(key, made);
        else this.stores.delete(key);
      });
      this.stores.set(key, (store = made));
    }
    return store;
  }
}
