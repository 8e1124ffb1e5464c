import { expect, test } from 'vitest';
import { keyRows, newestTs, openingKey } from './keys';

const values = (entries: Record<string, string>) =>
  new Map(Object.entries(entries).map(([key, value], i) => [key, { ts: i, value, version: i }]));

test('keys come in the order people count', () => {
  expect(keyRows(values({ core10: '1', core9: '2', a: 'x' }), undefined).map((r) => r.key)).toEqual(['a', 'core9', 'core10']);
});

test('the typed answer wins over the look of the text, and new keys are guessed', () => {
  const rows = keyRows(values({ flag: 'true', note: 'true', n: '1' }), { flag: true, note: 'true' });
  expect(Object.fromEntries(rows.map((r) => [r.key, r.type]))).toEqual({ flag: 'boolean', note: 'text', n: 'integer' });
});

test('a chart opens with a key that tells something', () => {
  expect(openingKey(keyRows(values({ boot_time: '1', weather: 'rain', temp_max: '12.8', wind: '4.7' }), undefined))).toBe('temp_max');
  expect(openingKey(keyRows(values({ zeta: '1', weather: 'rain' }), undefined))).toBe('zeta');
  expect(openingKey(keyRows(values({ on: 'true', weather: 'rain' }), undefined))).toBe('on');
  expect(openingKey(keyRows(values({ weather: 'rain' }), undefined))).toBeUndefined();
});

test('the newest instant over all keys', () => {
  expect(newestTs(keyRows(values({ a: '1', b: '2' }), undefined))).toBe(1);
  expect(newestTs([])).toBeUndefined();
});
