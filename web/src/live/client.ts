import { backoff } from './backoff';
import {
  decodeFrame,
  encodeMessages,
  subscribeCommand,
  unsubscribeCommand,
  type Command,
  type Topic,
  type Update,
} from './protocol';

/** The part of WebSocket this client uses. */
export interface Socket {
  send(text: string): void;
  close(): void;
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
}

export interface LiveOptions {
  open: () => Socket;
  /** A token good now; `fresh` asks for a new one because the last was refused. Undefined: no session. */
  token: (fresh: boolean) => Promise<string | undefined>;
  random?: () => number;
}

/**
 * idle: nobody listens. connecting: first try. open: updates arrive. lost: it was cut or
 * refused, and is being tried again.
 */
export type LivePhase = 'idle' | 'connecting' | 'open' | 'lost';

export interface LiveStatus {
  phase: LivePhase;
  /** How often an open connection came back after a loss; grows by one each time. */
  recoveries: number;
}

export interface Listener {
  /**
   * `first`: a snapshot; it replaces what was known. After a reconnect there is one only where the
   * server cannot tell any more what was missed; otherwise the missed updates come, in order.
   */
  update(update: Update, first: boolean): void;
  error?(message: string): void;
}

interface Subscription {
  topic: Topic;
  listener: Listener;
  id: number; // command id on the present socket; 0 while not sent
  answered: boolean;
  /** Where the last frame stood; a new socket goes on behind it. */
  position: string | undefined;
}

/** The error code of a command that breaks a rule. */
const badCommand = 2;

/**
 * LiveClient keeps one socket while anyone listens, and brings every subscription back on a
 * new one when it is cut. Ids start at 1 on each socket, so an answer of an old socket can
 * never be taken for one of the new.
 */
export class LiveClient {
  private readonly subscriptions = new Set<Subscription>();
  private readonly byId = new Map<number, Subscription>();
  private readonly listeners = new Set<() => void>();
  private status: LiveStatus = { phase: 'idle', recoveries: 0 };
  private socket: Socket | undefined;
  private sending = false; // the socket is open and has seen the token
  private opening = 0; // counts attempts, so that a slow token of an old one is dropped
  private attempt = 0;
  private refused = false;
  private nextId = 1;
  private outbox: Command[] = [];
  private retry: ReturnType<typeof setTimeout> | undefined;
  private linger: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly options: LiveOptions) {}

  readonly subscribeStatus = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly snapshot = (): LiveStatus => this.status;

  /** Listens until the returned function is called. */
  subscribe(topic: Topic, listener: Listener): () => void {
    const subscription: Subscription = { topic, listener, id: 0, answered: false, position: undefined };
    this.subscriptions.add(subscription);
    clearTimeout(this.linger);
    if (this.sending) this.send(subscription);
    else if (this.status.phase === 'idle') void this.connect();
    return () => this.unsubscribe(subscription);
  }

  /** Tries again now: the browser says the network is back, or the user asked. */
  wake(): void {
    if (!this.retry) return;
    clearTimeout(this.retry);
    this.retry = undefined;
    void this.connect();
  }

  /** Ends the connection; the subscriptions stay and come back with the next wake or subscribe. */
  stop(): void {
    clearTimeout(this.retry);
    this.retry = undefined;
    this.opening++;
    this.drop();
    this.attempt = 0;
    this.setPhase('idle');
  }

  private unsubscribe(subscription: Subscription): void {
    if (!this.subscriptions.delete(subscription)) return;
    if (subscription.id !== 0) {
      this.byId.delete(subscription.id);
      if (this.sending) this.enqueue(unsubscribeCommand(subscription.topic, subscription.id));
    }
    if (this.subscriptions.size === 0) {
      // Pages that follow each other keep the socket; one without live data gives it up.
      clearTimeout(this.linger);
      this.linger = setTimeout(() => {
        if (this.subscriptions.size === 0) this.stop();
      }, 10_000);
    }
  }

  private async connect(): Promise<void> {
    const mine = ++this.opening;
    if (this.status.phase !== 'lost') this.setPhase('connecting');
    let token: string | undefined;
    try {
      token = await this.options.token(this.refused);
    } catch {
      if (mine === this.opening) this.failed();
      return;
    }
    if (mine !== this.opening) return;
    if (token === undefined) {
      this.stop();
      return;
    }
    this.refused = false;
    const socket = this.options.open();
    this.socket = socket;
    socket.onopen = () => this.opened(token);
    socket.onmessage = ({ data }) => {
      if (typeof data === 'string') this.received(data);
    };
    socket.onclose = ({ code }) => {
      // Bad token (1007, 1011) or policy (1008): only a new token can change the answer.
      this.refused = code === 1007 || code === 1008 || code === 1011;
      this.failed();
    };
  }

  private opened(token: string): void {
    this.nextId = 1;
    this.byId.clear();
    this.outbox = [];
    this.sending = true;
    const commands: Command[] = [];
    for (const subscription of this.subscriptions) commands.push(this.number(subscription));
    for (const message of encodeMessages(commands, token)) this.socket?.send(message);
    if (commands.length === 0) this.alive();
  }

  private received(text: string): void {
    const frame = decodeFrame(text);
    if (frame.kind === 'unknown') return;
    this.alive();
    const subscription = this.byId.get(frame.id);
    if (!subscription) return;
    if (frame.kind === 'error') {
      if (frame.code === badCommand && subscription.position !== undefined && !subscription.answered) {
        // Another version of the server does not know this position: begin anew.
        subscription.position = undefined;
        this.byId.delete(frame.id);
        this.send(subscription);
        return;
      }
      subscription.listener.error?.(frame.message);
      return;
    }
    const goesOn = subscription.answered || subscription.position !== undefined;
    const first = !goesOn || frame.resync === true;
    subscription.answered = true;
    subscription.position = frame.position;
    const { data, deleted } = frame.update;
    // A frame without points says only where the subscription stands.
    if (first || deleted.length > 0 || Object.keys(data).length > 0) subscription.listener.update(frame.update, first);
  }

  /** A good token draws no answer, so only a frame proves that the connection works. */
  private alive(): void {
    this.attempt = 0;
    if (this.status.phase === 'lost') {
      this.status = { phase: 'open', recoveries: this.status.recoveries + 1 };
      this.notify();
    } else {
      this.setPhase('open');
    }
  }

  private failed(): void {
    this.drop();
    if (this.subscriptions.size === 0) {
      this.setPhase('idle');
      return;
    }
    this.setPhase('lost');
    this.retry = setTimeout(
      () => {
        this.retry = undefined;
        void this.connect();
      },
      backoff(this.attempt++, this.options.random),
    );
  }

  private drop(): void {
    const socket = this.socket;
    this.socket = undefined;
    this.sending = false;
    this.byId.clear();
    this.outbox = [];
    for (const subscription of this.subscriptions) {
      subscription.id = 0;
      subscription.answered = false;
    }
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  private number(subscription: Subscription): Command {
    subscription.id = this.nextId++;
    subscription.answered = false;
    this.byId.set(subscription.id, subscription);
    return subscribeCommand(subscription.topic, subscription.id, subscription.position);
  }

  private send(subscription: Subscription): void {
    this.enqueue(this.number(subscription));
  }

  /** Commands of one turn travel together. */
  private enqueue(command: Command): void {
    this.outbox.push(command);
    if (this.outbox.length > 1) return;
    queueMicrotask(() => {
      const commands = this.outbox;
      this.outbox = [];
      if (!this.sending) return;
      for (const message of encodeMessages(commands)) this.socket?.send(message);
    });
  }

  private setPhase(phase: LivePhase): void {
    if (this.status.phase === phase) return;
    this.status = { ...this.status, phase };
    this.notify();
  }

  private notify(): void {
    for (const listener of this.listeners) listener();
  }
}
