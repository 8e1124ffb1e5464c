import { loadTokens, readClaims, tokensKey, type Claims, type Tokens, type TokenStore } from './tokens';

/** The calls a session makes. `refresh` throws a RefusedError when the server turned the token down. */
export interface SessionCalls {
  login(username: string, password: string): Promise<Tokens>;
  refresh(refreshToken: string): Promise<Tokens>;
  logout(token: string): Promise<void>;
}

/** The server answered, and the answer is no: asking again with the same token is useless. */
export class RefusedError extends Error {
  override name = 'RefusedError';
}

export interface SessionState {
  claims: Claims | undefined;
  /** Why there is no session any more; shown on the log-in page. */
  ended: string | undefined;
}

export interface SessionOptions {
  calls: SessionCalls;
  store: TokenStore;
  now?: () => number;
  /**
   * Runs one refresh at a time over all tabs of the browser. Refresh tokens rotate and a
   * second use of one ends the session, so two tabs must not renew at once.
   */
  exclusive?: <T>(work: () => Promise<T>) => Promise<T>;
}

// Renewed this long before the end, so that no request starts with a token that dies on the way.
const renewAhead = 60_000;

/** Session owns the tokens: log-in, renewal (one at a time), log-out, the other tabs. */
export class Session {
  private tokens: Tokens | undefined;
  private state: SessionState;
  private refreshing: Promise<string | undefined> | undefined;
  private readonly listeners = new Set<() => void>();
  private readonly calls: SessionCalls;
  private readonly store: TokenStore;
  private readonly now: () => number;
  private readonly exclusive: <T>(work: () => Promise<T>) => Promise<T>;

  constructor(options: SessionOptions) {
    this.calls = options.calls;
    this.store = options.store;
    this.now = options.now ?? Date.now;
    this.exclusive = options.exclusive ?? ((work) => work());
    this.tokens = loadTokens(this.store);
    this.state = { claims: this.tokens && readClaims(this.tokens.token), ended: undefined };
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly snapshot = (): SessionState => this.state;

  async login(username: string, password: string): Promise<void> {
    this.adopt(await this.calls.login(username, password));
  }

  /** Takes over a pair that another call gave: setup, activation. */
  adopt(tokens: Tokens): void {
    this.store.setItem(tokensKey, JSON.stringify(tokens));
    this.set(tokens, undefined);
  }

  async logout(): Promise<void> {
    const token = this.tokens?.token;
    this.forget(undefined);
    if (token) {
      // The tokens are gone here whatever the server says; it may not even be there.
      await this.calls.logout(token).catch(() => undefined);
    }
  }

  /** A token good for a request now, renewed when near its end; undefined without a session. */
  async accessToken(): Promise<string | undefined> {
    const tokens = this.tokens;
    if (!tokens) return undefined;
    const expires = readClaims(tokens.token)?.expires ?? 0;
    return expires - this.now() > renewAhead ? tokens.token : this.renew(tokens.token);
  }

  /** Replaces `stale`, which the server refused. Resolves to undefined when the session is over. */
  renew(stale: string): Promise<string | undefined> {
    if (this.tokens && this.tokens.token !== stale) return Promise.resolve(this.tokens.token);
    this.refreshing ??= this.exclusive(() => this.refresh()).finally(() => {
      this.refreshing = undefined;
    });
    return this.refreshing;
  }

  /** Another tab logged in, renewed or logged out: what it stored is the truth. */
  reload(): void {
    const stored = loadTokens(this.store);
    if (stored?.token === this.tokens?.token) return;
    this.set(stored, stored ? undefined : 'You were logged out in another tab.');
  }

  private async refresh(): Promise<string | undefined> {
    const before = this.tokens;
    this.reload(); // another tab may have renewed while this one waited for its turn
    if (!before || this.tokens !== before) return this.tokens?.token;
    try {
      this.adopt(await this.calls.refresh(before.refreshToken));
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      this.reload();
      if (this.tokens === before) this.forget('Your session has ended. Please log in again.');
    }
    return this.current();
  }

  private current(): string | undefined {
    return this.tokens?.token;
  }

  private forget(why: string | undefined): void {
    this.store.removeItem(tokensKey);
    this.set(undefined, why);
  }

  private set(tokens: Tokens | undefined, ended: string | undefined): void {
    this.tokens = tokens;
    this.state = { claims: tokens && readClaims(tokens.token), ended };
    for (const listener of this.listeners) listener();
  }
}
