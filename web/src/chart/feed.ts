import type { EntityId, WirePoint } from '../live/protocol';
import { align, effectiveInterval, fits, zoneOffset, type Agg } from '../time/buckets';
import { hour, resolve, type Range, type Span } from '../time/range';
import { merge, noPoints, replaceTail, toPoints, trim, type Points } from './points';

/** One line of a chart. */
export interface FeedLine {
  id: string;
  entity: EntityId;
  key: string;
  /** Booleans have no average: they are always fetched as points, unless they are counted. */
  boolean?: boolean;
}

export interface HistoryQuery extends Span {
  keys: readonly string[];
  agg: Agg;
  interval: number;
  limit: number;
  /** Order of points; newest first unless said otherwise. */
  orderBy?: 'ASC' | 'DESC';
}

export type History = Record<string, readonly WirePoint[]>;

/** What a feed needs of the rest of the page. */
export interface FeedSource {
  history(entity: EntityId, query: HistoryQuery, signal: AbortSignal): Promise<History>;
  /** First and last known ts over the keys; undefined when there is no point. */
  extent(entity: EntityId, keys: readonly string[], signal: AbortSignal): Promise<Span | undefined>;
  onPoints(entity: EntityId, listener: (points: History) => void): () => void;
  now?: () => number;
}

export interface FeedRequest {
  lines: readonly FeedLine[];
  range: Range;
  agg: Agg;
  /** Chosen width of buckets in ms; 0 means automatic. */
  interval: number;
}

export interface FeedState {
  loading: boolean;
  error: string | undefined;
  points: ReadonlyMap<string, Points>;
  /** What was asked for; a window that follows the clock goes on from here. */
  span: Span;
  /** Width of the buckets in use; 0 when points are shown. */
  interval: number;
  /** Lines of which only the newest points are shown. */
  truncated: readonly string[];
  /** First and last known ts, where the range asked for it. */
  extent: Span | undefined;
}

/** As many points as a chart asks for of a line when it shows points. */
export const rawLimit = 10_000;

// The tail of an aggregated chart is asked for again at most this often.
const tailEvery = 1000;
const allEvery = 5000;

/**
 * ChartFeed loads the lines of a request and keeps them current: points are appended as
 * they arrive; of averages the last two buckets are asked for again, so that they stay exact.
 * While a new request loads, what the old one showed stays. A store for useSyncExternalStore.
 */
export class ChartFeed {
  private request: FeedRequest = { lines: [], range: { kind: 'last', ms: hour }, agg: 'NONE', interval: 0 };
  private state: FeedState;
  private readonly views = new Set<() => void>();
  private readonly unsubscribe: (() => void)[] = [];
  private abort = new AbortController();
  private arrived = new Map<string, Points>(); // while a load is under way
  private timer: ReturnType<typeof setTimeout> | undefined;
  private lastTail = 0;
  private newest = 0;
  private readonly now: () => number;

  constructor(private readonly source: FeedSource) {
    this.now = source.now ?? Date.now;
    this.state = {
      loading: true,
      error: undefined,
      points: new Map(),
      span: resolve(this.request.range, this.now()),
      interval: 0,
      truncated: [],
      extent: undefined,
    };
  }

  readonly snapshot = (): FeedState => this.state;

  readonly subscribe = (view: () => void): (() => void) => {
    this.views.add(view);
    return () => this.views.delete(view);
  };

  /** Whether new points belong to what is shown. */
  get live(): boolean {
    return this.request.range.kind !== 'fixed';
  }

  /** The span to draw now. A device whose clock is a little ahead stays in the picture. */
  spanNow(): Span {
    const { range } = this.request;
    if (range.kind !== 'last') return this.state.span;
    const now = this.now();
    const ahead = this.newest - now;
    const to = ahead > 0 && ahead < 300_000 ? this.newest : now;
    return { from: to - range.ms, to };
  }

  /** Shows something else from now on. */
  ask(request: FeedRequest): void {
    const before = this.unsubscribe.splice(0);
    this.request = request;
    if (this.live) {
      for (const { entity } of groupByEntity(request.lines)) {
        this.unsubscribe.push(this.source.onPoints(entity, (points) => this.received(entity, points)));
      }
    }
    for (const stop of before) stop(); // after the new ones: the subscription they share stays
    if (request.range.kind !== 'all') this.set({ span: resolve(request.range, this.now()) });
    void this.load();
  }

  stop(): void {
    this.abort.abort();
    clearTimeout(this.timer);
    this.timer = undefined;
    for (const stop of this.unsubscribe.splice(0)) stop();
  }

  /** Asks for everything again: after a reconnect, or because the user wants it. */
  async load(): Promise<void> {
    this.abort.abort();
    clearTimeout(this.timer);
    this.timer = undefined;
    const { signal } = (this.abort = new AbortController());
    this.arrived = new Map();
    this.set({ loading: true });
    try {
      const extent = this.request.range.kind === 'all' ? await this.extent(signal) : undefined;
      const span = this.request.range.kind === 'last' ? this.spanNow() : resolve(this.request.range, this.now(), extent);
      const interval = this.request.agg === 'NONE' ? 0 : effectiveInterval(span, this.request.interval);
      const { points, truncated } = await this.fetch(span, interval, signal);
      if (signal.aborted) return;
      for (const [id, late] of this.arrived) {
        if (this.isRaw(id, interval)) points.set(id, merge(points.get(id) ?? noPoints, late));
      }
      this.set({ loading: false, error: undefined, points, span, interval, truncated, extent });
      if (this.arrived.size > 0) this.schedule();
    } catch (error) {
      if (signal.aborted) return;
      this.set({ loading: false, error: error instanceof Error ? error.message : String(error) });
    }
  }

  private isRaw(id: string, interval: number): boolean {
    const line = this.request.lines.find((l) => l.id === id);
    return interval === 0 || (line?.boolean === true && this.request.agg !== 'COUNT');
  }

  private async extent(signal: AbortSignal): Promise<Span | undefined> {
    const spans = await Promise.all(
      groupByEntity(this.request.lines).map(({ entity, lines }) =>
        this.source.extent(entity, lines.map((l) => l.key), signal),
      ),
    );
    const known = spans.filter((s) => s !== undefined);
    if (known.length === 0) return undefined;
    return { from: Math.min(...known.map((s) => s.from)), to: Math.max(...known.map((s) => s.to)) };
  }

  private async fetch(span: Span, interval: number, signal: AbortSignal) {
    const points = new Map<string, Points>();
    const truncated: string[] = [];
    const aligned = interval > 0 ? align(span, interval, zoneOffset(span.to)) : span;
    const queries = groupByEntity(this.request.lines).flatMap(({ entity, lines }) => {
      const raw = lines.filter((l) => this.isRaw(l.id, interval));
      const cut = lines.filter((l) => !raw.includes(l));
      return [
        // The end is open in the contract's ranges: one more ms shows the newest point too.
        { entity, lines: raw, query: { ...span, to: span.to + 1, agg: 'NONE' as Agg, interval: 0, limit: rawLimit } },
        { entity, lines: cut, query: { ...aligned, agg: this.request.agg, interval, limit: rawLimit } },
      ].filter((q) => q.lines.length > 0);
    });
    await Promise.all(
      queries.map(async ({ entity, lines, query }) => {
        const keys = [...new Set(lines.map((l) => l.key))];
        const answer = await this.source.history(entity, { ...query, keys }, signal);
        for (const line of lines) {
          const wire = answer[line.key] ?? [];
          points.set(line.id, toPoints(wire));
          if (query.agg === 'NONE' && wire.length >= rawLimit) truncated.push(line.id);
        }
      }),
    );
    return { points, truncated };
  }

  private received(entity: EntityId, update: History): void {
    let cut = false;
    const points = new Map(this.state.points);
    const span = this.spanNow();
    for (const line of this.request.lines) {
      const wire = line.entity.id === entity.id ? update[line.key] : undefined;
      if (!wire) continue;
      const fresh = toPoints(wire);
      this.newest = Math.max(this.newest, fresh.ts.at(-1) ?? 0);
      if (this.state.loading) this.arrived.set(line.id, merge(this.arrived.get(line.id) ?? noPoints, fresh));
      if (this.isRaw(line.id, this.state.interval)) {
        points.set(line.id, trim(merge(points.get(line.id) ?? noPoints, fresh), span.from));
      } else {
        cut = true;
      }
    }
    if (this.state.loading) return;
    this.set({ points });
    if (cut || this.request.range.kind === 'all') this.schedule();
  }

  /** Asks for the tail again soon; calls in between are one. */
  private schedule(): void {
    if (this.timer) return;
    const all = this.request.range.kind === 'all';
    const wait = Math.max(50, this.lastTail + (all ? allEvery : tailEvery) - this.now());
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.lastTail = this.now();
      void (all ? this.load() : this.loadTail());
    }, wait);
  }

  private async loadTail(): Promise<void> {
    const { interval } = this.state;
    const { signal } = this.abort;
    if (interval === 0) return;
    const span = this.spanNow();
    const from = Math.max(span.from, Math.min(this.state.span.to, span.to) - 2 * interval);
    const tail = align({ from, to: span.to + 1 }, interval, zoneOffset(span.to));
    if (!fits(tail, interval)) return void this.load(); // the page slept
    try {
      const fetched = await this.fetch(tail, interval, signal);
      if (signal.aborted) return;
      const points = new Map(this.state.points);
      for (const [id, fresh] of fetched.points) {
        const old = points.get(id) ?? noPoints;
        points.set(id, trim(this.isRaw(id, interval) ? merge(old, fresh) : replaceTail(old, fresh, tail.from), span.from));
      }
      this.set({ points, span });
    } catch {
      // The next point tries again; a lost connection is shown by the banner, not here.
    }
  }

  private set(change: Partial<FeedState>): void {
    this.state = { ...this.state, ...change };
    for (const view of this.views) view();
  }
}

function groupByEntity(lines: readonly FeedLine[]): { entity: EntityId; lines: FeedLine[] }[] {
  const groups = new Map<string, { entity: EntityId; lines: FeedLine[] }>();
  for (const line of lines) {
    const group = groups.get(line.entity.id);
    if (group) group.lines.push(line);
    else groups.set(line.entity.id, { entity: line.entity, lines: [line] });
  }
  return [...groups.values()];
}
