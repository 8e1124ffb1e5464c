import { formatAge, formatTime } from '../time/format';
import { useNow } from './clock';

/** How long ago an instant was, ticking; the instant itself is the tooltip. */
export function Age({ ts }: { ts: number | null | undefined }) {
  const now = useNow();
  if (ts === null || ts === undefined || ts === 0) return <>never</>;
  return (
    <time dateTime={new Date(ts).toISOString()} title={formatTime(ts)} className="tw-num">
      {formatAge(ts, Math.max(now, ts - 1500))}
    </time>
  );
}
