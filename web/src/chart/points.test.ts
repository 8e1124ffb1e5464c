import { describe, expect, test } from 'vitest';
import { alignLines, gapOf, merge, replaceTail, toPoints, trim, valueAt, valueBefore, type Points } from './points';

const points = (...list: [number, number][]): Points => ({ ts: list.map((p) => p[0]), values: list.map((p) => p[1]) });

test('an answer in any order becomes ascending, without what cannot be drawn', () => {
  expect(toPoints([[3, '1.5'], [1, 'true'], [2, 'rain'], [4, null]])).toEqual(points([1, 1], [3, 1.5]));
});

describe('merging', () => {
  test('keeps each instant once, and the later list wins', () => {
    expect(merge(points([1, 1], [2, 2], [4, 4]), points([2, 20], [3, 30]))).toEqual(points([1, 1], [2, 20], [3, 30], [4, 4]));
  });

  test('equals a map, whatever comes when', () => {
    let seed = 7;
    const random = (n: number) => (seed = (seed * 48271) % 2147483647) % n;
    for (let round = 0; round < 200; round++) {
      const make = () => {
        const map = new Map(Array.from({ length: random(8) }, () => [random(12), random(100)] as const));
        return [...map].sort((a, b) => a[0] - b[0]);
      };
      const [a, b] = [make(), make()];
      const truth = [...new Map([...a, ...b])].sort((x, y) => x[0] - y[0]);
      expect(merge(points(...a.map((p) => [...p] as [number, number])), points(...b.map((p) => [...p] as [number, number])))).toEqual(
        points(...truth.map((p) => [...p] as [number, number])),
      );
    }
  });
});

test('trimming keeps the point before the window, from which the line comes in', () => {
  const all = points([1, 1], [2, 2], [3, 3], [4, 4]);
  expect(trim(all, 3)).toEqual(points([2, 2], [3, 3], [4, 4]));
  expect(trim(all, 9)).toEqual(points([4, 4]));
  expect(trim(all, 0)).toBe(all);
  expect(trim(points(), 3)).toEqual(points());
});

test('a tail asked for again replaces what it covers, also where it is now empty', () => {
  expect(replaceTail(points([1, 1], [5, 5], [9, 9]), points([5, 50]), 5)).toEqual(points([1, 1], [5, 50]));
  expect(replaceTail(points([1, 1], [5, 5]), points(), 5)).toEqual(points([1, 1]));
});

describe('gaps', () => {
  const steady = points(...Array.from({ length: 20 }, (_, i) => [i * 1000, i] as [number, number]));
  test('are three times the usual distance of averages, ten times that of points', () => {
    expect(gapOf(steady, 1000)).toBe(3000);
    expect(gapOf(steady, 0)).toBe(10_000);
    expect(gapOf(steady, 5000)).toBe(10_000);
    expect(gapOf(points([1, 1], [2, 2]), 0)).toBe(Infinity);
  });

  test('break a line, and nothing else does', () => {
    const a = points([0, 1], [1000, 2], [9000, 3]);
    const b = points([500, 7], [9000, 8]);
    expect(alignLines([{ points: a, gap: 3000 }, { points: b, gap: Infinity }])).toEqual([
      [0, 0.5, 1, 5, 9],
      [1, undefined, 2, null, 3],
      [undefined, 7, undefined, undefined, 8],
    ]);
  });
});

test('the value under the cursor is the nearest within reach; a state is the last before', () => {
  const line = points([1000, 1], [2000, 2]);
  expect(valueAt(line, 1400, 500)).toEqual({ ts: 1000, value: 1 });
  expect(valueAt(line, 1600, 500)).toEqual({ ts: 2000, value: 2 });
  expect(valueAt(line, 5000, 500)).toBeUndefined();
  expect(valueAt(points(), 5000, Infinity)).toBeUndefined();
  expect(valueBefore(line, 1999)).toEqual({ ts: 1000, value: 1 });
  expect(valueBefore(line, 2000)).toEqual({ ts: 2000, value: 2 });
  expect(valueBefore(line, 999)).toBeUndefined();
});
