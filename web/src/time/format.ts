// How times and values read. Everything is in the viewer's own time zone.

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

/** "now", "3 s ago", "5 min ago", "2 h ago", "12 d ago", "8 months ago", "10 years ago"; "in 3 s" ahead of the clock. */
export function formatAge(ts: number, now: number): string {
  const age = Math.abs(now - ts);
  let text: string;
  if (age < second) return 'now';
  else if (age < minute) text = `${Math.floor(age / second)} s`;
  else if (age < hour) text = `${Math.floor(age / minute)} min`;
  else if (age < 2 * day) text = `${Math.floor(age / hour)} h`;
  else if (age < 60 * day) text = `${Math.floor(age / day)} d`;
  else if (age < 730 * day) text = `${Math.floor(age / (30.44 * day))} months`;
  else text = `${Math.floor(age / (365.25 * day))} years`;
  return ts <= now ? `${text} ago` : `in ${text}`;
}

/** The width of an interval: "1 s", "15 min", "6 h", "1 d". */
export function formatDuration(ms: number): string {
  for (const [unit, name] of [
    [day, 'd'],
    [hour, 'h'],
    [minute, 'min'],
    [second, 's'],
  ] as const) {
    if (ms >= unit) {
      const count = ms / unit;
      return `${Number.isInteger(count) ? count : count.toFixed(1)} ${name}`;
    }
  }
  return `${ms} ms`;
}

const pad = (n: number, width = 2) => String(n).padStart(width, '0');

export function formatDate(ts: number): string {
  const d = new Date(ts);
  return `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())}`;
}

/** Date and time of day to the second, to the millisecond where it is not a whole second. */
export function formatTime(ts: number): string {
  const d = new Date(ts);
  const ms = d.getMilliseconds();
  const time = `${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}`;
  return `${formatDate(ts)} ${time}${ms === 0 ? '' : `.${pad(ms, 3)}`}`;
}

/** A range in words, without repeating the day where both ends share it. */
export function formatRange(from: number, to: number): string {
  const days = to - from >= 3 * day;
  if (days) return `${formatDate(from)} – ${formatDate(to)}`;
  const start = formatTime(from).replace(/\.\d+$/, '');
  const end = formatTime(to).replace(/\.\d+$/, '');
  return start.slice(0, 10) === end.slice(0, 10) ? `${start} – ${end.slice(11)}` : `${start} – ${end}`;
}

/** A number with its unit; bytes are scaled, as nobody reads nine digits of them. */
export function formatQuantity(value: number, unit: string | undefined): string {
  if (!unit) return formatNumber(value);
  const size = Math.abs(value);
  if (!/^B(\/s)?$/.test(unit) || size < 1000) return `${formatNumber(value)} ${unit}`;
  const power = Math.min(5, Math.floor(Math.log10(size) / 3));
  return `${formatNumber(value / 1000 ** power, 4)} ${'kMGTP'[power - 1] ?? ''}${unit}`;
}

/** The time an aggregate stands for: from half its width before the middle that is reported. */
export function formatBucket(middle: number, interval: number): string {
  if (interval === 0) return formatTime(middle);
  const start = middle - Math.floor(interval / 2);
  if (interval === day) return formatDate(start);
  if (interval > day) return `${formatDate(start)} – ${formatDate(start + interval - 1)}`;
  return interval <= second ? formatTime(start) : formatRange(start, start + interval);
}

/**
 * A number for a chart's legend: up to `digits` significant digits, grouped; never "0" for
 * what is not zero.
 */
export function formatNumber(value: number, digits = 6): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 1e15 || size < 1e-6) return value.toExponential(3);
  return value.toLocaleString('en-US', { maximumSignificantDigits: Math.max(digits, Math.ceil(Math.log10(size))) });
}
