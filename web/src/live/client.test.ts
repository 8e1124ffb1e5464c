import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { LiveClient, type Listener, type Socket } from './client';
import type { Command, Topic, Update } from './protocol';

class FakeSocket implements Socket {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  sent: { authCmd?: { token: string }; cmds: Command[] }[] = [];
  closed = false;

  send(text: string) {
    this.sent.push(JSON.parse(text) as { cmds: Command[] });
  }
  close() {
    this.closed = true;
  }
  frame(frame: object) {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
  get commands(): Command[] {
    return this.sent.flatMap((m) => m.cmds);
  }
}

const device = (id: string): Topic => ({ type: 'TIMESERIES', entity: { entityType: 'DEVICE', id } });

function setup(token: (fresh: boolean) => Promise<string | undefined> = () => Promise.resolve('token')) {
  const sockets: FakeSocket[] = [];
  const client = new LiveClient({
    token,
    random: () => 0,
    open: () => {
      const socket = new FakeSocket();
      sockets.push(socket);
      return socket;
    },
  });
  const phases: string[] = [];
  client.subscribeStatus(() => phases.push(client.snapshot().phase));
  return { client, sockets, phases, last: () => sockets[sockets.length - 1] as FakeSocket };
}

function recorder(): Listener & { updates: [Update, boolean][]; errors: string[] } {
  const updates: [Update, boolean][] = [];
  const errors: string[] = [];
  return { updates, errors, update: (u, first) => void updates.push([u, first]), error: (m) => void errors.push(m) };
}

const tick = () => vi.advanceTimersByTimeAsync(0);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('the live client', () => {
  test('sends the token and every subscription in the first message', async () => {
    const { client, last } = setup();
    client.subscribe(device('a'), recorder());
    client.subscribe({ type: 'ATTRIBUTES', entity: { entityType: 'DEVICE', id: 'b' }, scope: 'SERVER_SCOPE', keys: ['x', 'y'] }, recorder());
    await tick();
    last().onopen?.();
    expect(last().sent).toEqual([
      {
        authCmd: { cmdId: 0, token: 'token' },
        cmds: [
          { type: 'TIMESERIES', cmdId: 1, entityType: 'DEVICE', entityId: 'a', scope: 'LATEST_TELEMETRY', positions: true },
          { type: 'ATTRIBUTES', cmdId: 2, entityType: 'DEVICE', entityId: 'b', scope: 'SERVER_SCOPE', keys: 'x,y', positions: true },
        ],
      },
    ]);
  });

  test('hands each frame to its own listener, and says which one is the snapshot', async () => {
    const { client, last } = setup();
    const [a, b] = [recorder(), recorder()];
    client.subscribe(device('a'), a);
    client.subscribe(device('b'), b);
    await tick();
    last().onopen?.();
    last().frame({ subscriptionId: 2, errorCode: 0, errorMsg: null, data: { t: [[1, '21.5']] }, latestValues: { t: 1 } });
    last().frame({ subscriptionId: 2, errorCode: 0, data: { t: [[2, '22']], gone: [[0, '']] } });
    last().frame({ subscriptionId: 9, errorCode: 0, data: { t: [[2, '22']] } });
    last().onmessage?.({ data: 'not json' });
    expect(a.updates).toEqual([]);
    expect(b.updates).toEqual([
      [{ data: { t: [[1, '21.5']] }, deleted: [] }, true],
      [{ data: { t: [[2, '22']] }, deleted: ['gone'] }, false],
    ]);
  });

  test('reports an error frame to the listener it belongs to', async () => {
    const { client, last } = setup();
    const a = recorder();
    client.subscribe(device('a'), a);
    await tick();
    last().onopen?.();
    last().frame({ subscriptionId: 1, errorCode: 1, errorMsg: 'Failed to fetch data!' });
    expect(a.errors).toEqual(['Failed to fetch data!']);
  });

  test('reconnects with doubling waits up to 30 s, and starts again at 1 s after a frame', async () => {
    const { client, sockets, last, phases } = setup();
    client.subscribe(device('a'), recorder());
    await tick();
    for (const wait of [1000, 2000, 4000, 8000, 16000, 30000, 30000]) {
      const count = sockets.length;
      last().onclose?.({ code: 1006 });
      await vi.advanceTimersByTimeAsync(wait - 1);
      expect(sockets).toHaveLength(count);
      await vi.advanceTimersByTimeAsync(1);
      expect(sockets).toHaveLength(count + 1);
    }
    last().onopen?.();
    expect(client.snapshot().phase).toBe('lost'); // nothing proves yet that the token is good
    last().frame({ subscriptionId: 1, errorCode: 0, data: {} });
    expect(client.snapshot()).toEqual({ phase: 'open', recoveries: 1 });
    const count = sockets.length;
    last().onclose?.({ code: 1006 });
    await vi.advanceTimersByTimeAsync(1000);
    expect(sockets).toHaveLength(count + 1);
    expect(phases).toEqual(['connecting', 'lost', 'open', 'lost']);
  });

  test('brings subscriptions back under new ids, and the first frame is a snapshot again', async () => {
    const { client, sockets, last } = setup();
    const [a, b] = [recorder(), recorder()];
    const stop = client.subscribe(device('a'), a);
    client.subscribe(device('b'), b);
    await tick();
    last().onopen?.();
    last().frame({ subscriptionId: 2, errorCode: 0, data: {} });
    stop();
    await tick();
    expect(last().commands.at(-1)).toMatchObject({ cmdId: 1, unsubscribe: true });
    const old = last();
    old.onclose?.({ code: 1012 });
    await vi.advanceTimersByTimeAsync(1000);
    expect(sockets).toHaveLength(2);
    last().onopen?.();
    expect(last().commands).toEqual([expect.objectContaining({ cmdId: 1, entityId: 'b' })]);
    last().frame({ subscriptionId: 1, errorCode: 0, data: { t: [[5, '1']] } });
    expect(b.updates.map(([, first]) => first)).toEqual([true, true]);
    expect(a.updates).toEqual([]);
    expect(old.onmessage).toBeNull();
  });

  test('goes on behind the last position on a new socket, and hears what it missed', async () => {
    const { client, last } = setup();
    const a = recorder();
    client.subscribe(device('a'), a);
    await tick();
    last().onopen?.();
    last().frame({ subscriptionId: 1, errorCode: 0, data: { t: [[1, '1']] }, position: 'p1' });
    last().frame({ subscriptionId: 1, errorCode: 0, data: {}, position: 'p2' }); // says only where it stands
    last().onclose?.({ code: 1006 });
    await vi.advanceTimersByTimeAsync(1000);
    last().onopen?.();
    expect(last().commands).toEqual([expect.objectContaining({ cmdId: 1, entityId: 'a', resume: 'p2' })]);
    last().onclose?.({ code: 1006 }); // before it answered
    await vi.advanceTimersByTimeAsync(2000);
    last().onopen?.();
    expect(last().commands).toEqual([expect.objectContaining({ resume: 'p2' })]);
    last().frame({ subscriptionId: 1, errorCode: 0, data: { t: [[2, '2']] }, position: 'p3' });
    last().frame({ subscriptionId: 1, errorCode: 0, data: {}, resumed: 1, position: 'p4' });
    expect(a.updates).toEqual([
      [{ data: { t: [[1, '1']] }, deleted: [] }, true],
      [{ data: { t: [[2, '2']] }, deleted: [] }, false],
    ]);
    last().onclose?.({ code: 1012 });
    await vi.advanceTimersByTimeAsync(1000);
    last().onopen?.();
    last().frame({ subscriptionId: 1, errorCode: 0, data: {}, resync: 'TOO_OLD', position: 'p9' });
    expect(a.updates.at(-1)).toEqual([{ data: {}, deleted: [] }, true]);
  });

  test('begins anew when the server does not know the position', async () => {
    const { client, last } = setup();
    const a = recorder();
    client.subscribe(device('a'), a);
    await tick();
    last().onopen?.();
    last().frame({ subscriptionId: 1, errorCode: 0, data: {}, position: 'p1' });
    last().onclose?.({ code: 1012 });
    await vi.advanceTimersByTimeAsync(1000);
    last().onopen?.();
    last().frame({ subscriptionId: 1, errorCode: 2, errorMsg: 'Position is none of ours' });
    await tick();
    expect(last().commands.at(-1)).toMatchObject({ cmdId: 2, positions: true });
    last().frame({ subscriptionId: 2, errorCode: 0, data: { t: [[3, '3']] }, position: 'p5' });
    expect(a.updates.map(([, first]) => first)).toEqual([true, true]);
    expect(a.errors).toEqual([]);
  });

  test('asks for a fresh token when the last one was refused', async () => {
    const token = vi.fn((fresh: boolean) => Promise.resolve(fresh ? 'new' : 'old'));
    const { client, last } = setup(token);
    client.subscribe(device('a'), recorder());
    await tick();
    last().onopen?.();
    last().onclose?.({ code: 1007 });
    await vi.advanceTimersByTimeAsync(1000);
    last().onopen?.();
    expect(last().sent[0]?.authCmd?.token).toBe('new');
    expect(token.mock.calls).toEqual([[false], [true]]);
  });

  test('stops when there is no session any more', async () => {
    const { client, sockets } = setup(() => Promise.resolve(undefined));
    client.subscribe(device('a'), recorder());
    await tick();
    expect(sockets).toHaveLength(0);
    expect(client.snapshot().phase).toBe('idle');
  });

  test('tries at once when the network is back', async () => {
    const { client, sockets, last } = setup();
    client.subscribe(device('a'), recorder());
    await tick();
    last().onclose?.({ code: 1006 });
    client.wake();
    await tick();
    expect(sockets).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(sockets).toHaveLength(2);
  });

  test('packs later commands of one turn into one message', async () => {
    const { client, last } = setup();
    client.subscribe(device('a'), recorder());
    await tick();
    last().onopen?.();
    client.subscribe(device('b'), recorder());
    client.subscribe(device('c'), recorder());
    await tick();
    expect(last().sent).toHaveLength(2);
    expect(last().sent[1]?.cmds.map((c) => c.cmdId)).toEqual([2, 3]);
  });

  test('closes the socket ten seconds after the last listener left', async () => {
    const { client, last } = setup();
    const stop = client.subscribe(device('a'), recorder());
    await tick();
    last().onopen?.();
    stop();
    await vi.advanceTimersByTimeAsync(9000);
    expect(last().closed).toBe(false);
    await vi.advanceTimersByTimeAsync(1000);
    expect(last().closed).toBe(true);
    expect(client.snapshot().phase).toBe('idle');
  });
});
