import { describe, expect, test } from 'vitest';
import { align, autoInterval, effectiveInterval, fits, intervals, maxBuckets } from './buckets';
import { formatAge, formatBucket, formatDuration, formatNumber, formatQuantity, formatTime } from './format';
import { day, hour, minute, openingRange, pan, presets, readRange, resolve, writeRange, zoom, type Range } from './range';
import { drawn, formatValue, typeOfText, typeOfTyped } from './value';

describe('ranges', () => {
  test('follow the clock, stay fixed, or cover the data with air', () => {
    expect(resolve({ kind: 'last', ms: hour }, 10 * hour)).toEqual({ from: 9 * hour, to: 10 * hour });
    expect(resolve({ kind: 'fixed', from: 5, to: 500 }, 10 * hour)).toEqual({ from: 5, to: 500 });
    expect(resolve({ kind: 'all' }, day, { from: 0, to: 100_000 })).toEqual({ from: -2000, to: 102_000 });
    expect(resolve({ kind: 'all' }, day)).toEqual({ from: 23 * hour, to: day });
  });

  test('never have zero or negative width', () => {
    expect(resolve({ kind: 'fixed', from: 5, to: 5 }, 0)).toEqual({ from: 5, to: 105 });
  });

  test('pan and zoom around what is shown', () => {
    expect(pan({ from: 1000, to: 2000 }, -0.5)).toEqual({ kind: 'fixed', from: 500, to: 1500 });
    expect(zoom({ from: 1000, to: 2000 }, 2)).toEqual({ kind: 'fixed', from: 500, to: 2500 });
  });

  test.each<Range>([
    ...presets.map((p) => p.range),
    { kind: 'last', ms: 12345 },
    { kind: 'fixed', from: -86400000, to: 1325376000000 },
  ])('are written into the address and read back: %o', (range) => {
    expect(readRange(writeRange(range))).toEqual(range);
  });

  test.each(['', 'x', '5-4', '-', '12ms', null])('that were typed wrong are ignored: %s', (text) => {
    expect(readRange(text)).toBeUndefined();
  });

  test('open wide enough for the newest point', () => {
    const now = 1_700_000_000_000;
    for (const age of [0, minute, 20 * minute, 3 * hour, 3 * day, 4000 * day]) {
      const span = resolve(openingRange(now - age, now), now, { from: now - 5000 * day, to: now - age });
      expect(span.from).toBeLessThan(now - age);
      expect(span.to).toBeGreaterThanOrEqual(now - age);
    }
    expect(openingRange(now - 4000 * day, now)).toEqual({ kind: 'all' });
  });
});

describe('buckets', () => {
  test('are never more than the server answers, at any width and any offset', () => {
    for (let width = 100; width < 400 * 365 * day; width = Math.ceil(width * 1.07)) {
      for (const from of [0, 1_700_000_000_123]) {
        const span = { from, to: from + width };
        const interval = autoInterval(span);
        const aligned = align(span, interval, 7 * hour);
        expect((aligned.to - aligned.from) / Math.max(interval, 1000)).toBeLessThanOrEqual(maxBuckets);
      }
    }
  });

  test('chosen too narrow give way to the automatic width', () => {
    const week = { from: 0, to: 7 * day };
    expect(fits(week, minute)).toBe(false);
    expect(effectiveInterval(week, minute)).toBe(autoInterval(week));
    expect(effectiveInterval(week, 6 * hour)).toBe(6 * hour);
    expect(effectiveInterval(week, 0)).toBe(autoInterval(week));
  });

  test('of a moving window keep their boundaries', () => {
    const a = align({ from: 1_700_000_000_123, to: 1_700_000_300_123 }, 1000);
    const b = align({ from: 1_700_000_001_456, to: 1_700_000_301_456 }, 1000);
    expect((b.from - a.from) % 1000).toBe(0);
  });

  test('of days begin at midnight of the viewer, of weeks on Monday', () => {
    const offset = -8 * hour;
    const days = align({ from: Date.UTC(2012, 0, 3, 20), to: Date.UTC(2012, 0, 9) }, day, offset);
    expect(new Date(days.from + offset).toISOString()).toBe('2012-01-03T00:00:00.000Z');
    const weeks = align({ from: Date.UTC(2012, 0, 5), to: Date.UTC(2012, 1, 9) }, 7 * day, 0);
    expect(new Date(weeks.from).getUTCDay()).toBe(1);
  });

  test('can be chosen in ascending widths', () => {
    expect([...intervals].sort((a, b) => a - b)).toEqual(intervals);
  });
});

describe('times read', () => {
  test.each([
    [0, 'now'], [3000, '3 s ago'], [59_999, '59 s ago'], [5 * minute, '5 min ago'], [26 * hour, '26 h ago'],
    [12 * day, '12 d ago'], [300 * day, '9 months ago'], [4000 * day, '10 years ago'], [-3000, 'in 3 s'],
  ])('%d ms as %s', (age, text) => expect(formatAge(1_700_000_000_000 - age, 1_700_000_000_000)).toBe(text));

  test('an aggregate by the whole of its interval', () => {
    const noon = new Date(2012, 5, 2, 12).getTime();
    expect(formatBucket(noon, day)).toBe('2012-06-02');
    expect(formatBucket(noon, 7 * day)).toBe('2012-05-30 – 2012-06-05');
    expect(formatBucket(noon + 30_000, minute)).toBe('2012-06-02 12:00:00 – 12:01:00');
    expect(formatBucket(noon + 500, 1000)).toBe('2012-06-02 12:00:00');
    expect(formatBucket(noon + 250, 0)).toBe(formatTime(noon + 250));
  });

  test.each([[1000, '1 s'], [900_000, '15 min'], [7 * day, '7 d'], [90_000, '1.5 min'], [100, '100 ms']])(
    'a width of %d as %s',
    (ms, text) => expect(formatDuration(ms)).toBe(text),
  );
});

describe('values', () => {
  test.each([
    ['21', 'integer'], ['-9223372036854775808', 'integer'], ['9007199254740993', 'integer'], ['42.0', 'number'], ['1.0E10', 'number'],
    ['true', 'boolean'], ['{"a":1}', 'json'], ['rain', 'text'], ['', 'text'], [null, 'none'], ['1.2.3', 'text'],
  ] as const)('%s is %s', (text, type) => expect(typeOfText(text)).toBe(type));

  test('the typed answer decides what the text cannot', () => {
    expect(typeOfTyped('true', 'true')).toBe('text');
    expect(typeOfTyped(true, 'true')).toBe('boolean');
    expect(typeOfTyped(42, '42.0')).toBe('number');
    expect(typeOfTyped({ a: 1 }, '{"a":1}')).toBe('json');
  });

  test.each([
    ['9007199254740993', 'integer', '9007199254740993'], ['42.0', 'number', '42'], ['1.0E10', 'number', '10000000000'],
    ['1.0E-4', 'number', '0.0001'], ['1.5E300', 'number', '1.5e+300'], ['rain', 'text', 'rain'], [null, 'none', '–'],
  ] as const)('%s (%s) reads as %s', (text, type, shown) => expect(formatValue(text, type)).toBe(shown));

  test('with decimals are rounded for a card', () => expect(formatValue('12.3456', 'number', 1)).toBe('12.3'));

  test.each([['true', 1], ['false', 0], ['21.5', 21.5], ['1.0E10', 1e10], ['rain', undefined], ['', undefined], [null, undefined]] as const)(
    '%s is drawn as %s',
    (text, value) => expect(drawn(text)).toBe(value),
  );

  test.each([[10_840, 'B/s', '10.84 kB/s'], [71_024_640, 'B', '71.02 MB'], [512, 'B', '512 B'], [0, 'B', '0 B'], [1e6, '%', '1,000,000 %'], [3.5, undefined, '3.5']] as const)(
    '%d %s reads as %s',
    (value, unit, text) => expect(formatQuantity(value, unit)).toBe(text),
  );

  test('in a legend keep every digit before the point', () => {
    expect([0, 1234567.891, 0.000012345, 1016.6, 1e20].map((n) => formatNumber(n))).toEqual(['0', '1,234,568', '0.000012345', '1,016.6', '1.000e+20']);
  });
});
