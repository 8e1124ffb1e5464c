// The pair of tokens a login gives, and what the page reads out of them. The page never
// decides by a token's content what may be done: the server does. It only reads when to
// renew it and what to show.

export interface Tokens {
  token: string;
  refreshToken: string;
}

export type Authority = 'SYS_ADMIN' | 'TENANT_ADMIN' | 'CUSTOMER_USER';

export interface Claims {
  email: string;
  authority: Authority | undefined;
  userId: string;
  customerId: string;
  name: string;
  /** End of the token's life, ms. */
  expires: number;
}

/** Reads the claims of a JWT without checking its signature; undefined when it is none. */
export function readClaims(jwt: string): Claims | undefined {
  const part = jwt.split('.')[1];
  if (!part) return undefined;
  try {
    const bytes = Uint8Array.from(atob(part.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
    const text = (name: string) => (typeof claims[name] === 'string' ? claims[name] : '');
    const scopes = Array.isArray(claims.scopes) ? (claims.scopes as unknown[]) : [];
    return {
      email: text('sub'),
      authority: scopes[0] as Authority | undefined,
      userId: text('userId'),
      customerId: text('customerId'),
      name: [text('firstName'), text('lastName')].filter(Boolean).join(' '),
      expires: typeof claims.exp === 'number' ? claims.exp * 1000 : 0,
    };
  } catch {
    return undefined;
  }
}

/** Where tokens outlive the page: localStorage, or a map in tests. */
export interface TokenStore {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export const tokensKey = 'tidewire.tokens';

export function loadTokens(store: TokenStore): Tokens | undefined {
  const text = store.getItem(tokensKey);
  if (!text) return undefined;
  try {
    const pair = JSON.parse(text) as Partial<Tokens>;
    return pair.token && pair.refreshToken ? { token: pair.token, refreshToken: pair.refreshToken } : undefined;
  } catch {
    return undefined;
  }
}
