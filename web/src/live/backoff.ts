/**
 * How long to wait before the next try: 1 s doubling to 30 s, then up to a quarter more by
 * chance, so that the pages of a restarted server do not come back in one instant.
 */
export function backoff(attempt: number, random: () => number = Math.random): number {
  const base = Math.min(30_000, 1000 * 2 ** Math.min(attempt, 10));
  return Math.round(base * (1 + random() / 4));
}
