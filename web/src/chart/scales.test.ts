import { describe, expect, test } from 'vitest';
import { timeLabels } from './options';
import { assignAxes, axisLabels, axisRange, type ScaleLine } from './scales';

const line = (min: number, max: number, unit?: string): ScaleLine => ({ points: { ts: [1, 2], values: [min, max] }, ...(unit ? { unit } : {}) });

describe('axes', () => {
  test('are shared by lines of like size, and a line that would be a stripe gets the right one', () => {
    expect(assignAxes([line(10, 20), line(5, 25)])).toEqual(['left', 'left']);
    expect(assignAxes([line(10, 20), line(1010, 1020)])).toEqual(['left', 'right']);
    expect(assignAxes([line(0, 10), line(0, 1e6), line(2, 8)])).toEqual(['left', 'right', 'left']);
  });

  test('keep a unit together, and booleans in their strip', () => {
    expect(assignAxes([line(0, 90, '%'), line(40, 40.5, '%')])).toEqual(['left', 'left']);
    expect(assignAxes([line(0, 10), { ...line(0, 1), boolean: true }])).toEqual(['left', 'state']);
  });

  test('of lines without points are left', () => {
    expect(assignAxes([{ points: { ts: [], values: [] } }, line(1, 2)])).toEqual(['left', 'left']);
  });
});

describe('the range of an axis', () => {
  test('has air, starts at zero where that is near, and is never empty', () => {
    expect(axisRange(1, 100)[0]).toBe(0);
    expect(axisRange(-100, -1)[1]).toBe(0);
    expect(axisRange(990, 1010)).toEqual([988.4, 1011.6]);
    expect(axisRange(5, 5)).toEqual([4.75, 5.25]);
    expect(axisRange(0, 0)).toEqual([-1, 1]);
    expect(axisRange(null, null)).toEqual([0, 1]);
  });
});

describe('labels', () => {
  test.each([
    [[0, 20, 40], '%', ['0 %', '20 %', '40 %']],
    [[39.6, 39.8, 40], '', ['39.6', '39.8', '40']],
    [[5, 7.5, 10], '', ['5', '7.5', '10']],
    [[1.25, 1.5, 1.75], '', ['1.25', '1.5', '1.75']],
    [[0, 5e9, 1e10], 'B', ['0 B', '5 GB', '10 GB']],
    [[18952550000, 18952560000], 'B', ['18.95255 GB', '18.95256 GB']],
    [[0, 0.0005], '', ['0', '0.0005']],
    [[1e20, 2e20], '', ['1.00e+20', '2.00e+20']],
    [[-100000, 0, 100000], '', ['-100 k', '0', '100 k']],
  ] as const)('of %j %s tell neighbours apart', (ticks, unit, labels) => expect(axisLabels(ticks, unit)).toEqual(labels));

  test('of time name the day where it changes', () => {
    const at = (...args: [number, number, number, number]) => new Date(args[0], args[1], args[2], args[3]).getTime() / 1000;
    expect(timeLabels([at(2012, 0, 1, 22), at(2012, 0, 2, 0), at(2012, 0, 2, 2)], 7200)).toEqual(['22:00\nJan 1', '00:00\nJan 2', '02:00']);
    expect(timeLabels([at(2012, 10, 1, 0), at(2013, 0, 1, 0)], 61 * 86400)).toEqual(['Nov\n2012', 'Jan\n2013']);
    expect(timeLabels([at(2012, 0, 1, 0), at(2013, 0, 1, 0)], 366 * 86400)).toEqual(['2012', '2013']);
    expect(timeLabels([at(2012, 0, 1, 10)], 60)).toEqual(['10:00\nJan 1']);
  });
});
