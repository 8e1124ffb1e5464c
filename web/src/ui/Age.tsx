import { formatAge, formatTime } from '../time/format';
import { useNow } from './clock';

/** How long ago an instant was, ticking; the instant itself is the tooltip. `bare` leaves out the "ago" under a head that says Age. */
export function Age({ ts, bare = false }: { ts: number | null | undefined; bare?: boolean }) {
  const now = useNow();
  if (ts === null || ts === undefined || ts === 0) return <>never</>;
  // The clock of the page ticks once a second, and so is up to that much behind.
  const text = formatAge(ts, ts - now < 1500 ? Math.max(now, ts) : now);
  return (
    <time dateTime={new Date(ts).toISOString()} title={formatTime(ts)} className="tw-num">
      {bare ? text.replace(/ ago$/, '') : text}
    </time>
  );
}
