import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseDashboard, type Place } from './schema';

const entity = { entityType: 'DEVICE', id: '784f394c-42b6-435a-983c-b7beff2784f9' };

function only(widget: object): Place | undefined {
  const parsed = parseDashboard({ tidewire: 1, widgets: [widget] });
  return parsed.kind === 'ours' ? parsed.places[0] : undefined;
}

test('the example of docs/dashboards.md keeps its own rules', () => {
  const page = readFileSync(new URL('../../../docs/dashboards.md', import.meta.url), 'utf8');
  const example = /```json\n(.*?)```/s.exec(page)?.[1] ?? '';
  const parsed = parseDashboard((JSON.parse(example) as { configuration: unknown }).configuration);
  expect(parsed.kind).toBe('ours');
  const places = parsed.kind === 'ours' ? parsed.places : [];
  expect(places.map((p) => p.problem)).toEqual([undefined, undefined, undefined]);
  expect(places.map((p) => p.widget?.type)).toEqual(['value', 'chart', 'chart']);
});

describe('a configuration', () => {
  test.each([null, undefined, 'x', [], {}, { widgets: {}, states: {} }])('of another program is foreign: %j', (value) => {
    expect(parseDashboard(value).kind).toBe('foreign');
  });

  test.each([
    [{ tidewire: 2, widgets: [] }, /schema 2/],
    [{ tidewire: 'x', widgets: [] }, /version/],
    [{ tidewire: 1 }, /widgets/],
    [{ tidewire: 1, widgets: new Array(61).fill({}) }, /60 are the most/],
  ])('that cannot be shown says why: %j', (value, reason) => {
    expect(parseDashboard(value)).toMatchObject({ kind: 'broken', problem: expect.stringMatching(reason) as string });
  });
});

describe('a widget', () => {
  test('gets the defaults of the document', () => {
    expect(only({ type: 'value', entity, key: 'cpu' })?.widget).toEqual({ type: 'value', entity, key: 'cpu', title: 'cpu', width: 3 });
    expect(only({ type: 'chart', series: [{ entity, key: 'cpu' }, { entity, key: 'm', label: 'Memory', unit: '%' }] })?.widget).toEqual({
      type: 'chart',
      title: 'cpu, Memory',
      width: 6,
      height: 280,
      agg: 'AVG',
      interval: 0,
      window: { kind: 'last', ms: 3_600_000 },
      series: [{ entity, key: 'cpu', label: 'cpu' }, { entity, key: 'm', label: 'Memory', unit: '%' }],
    });
  });

  test.each([
    [{ last: 300000 }, { kind: 'last', ms: 300000 }],
    [{ from: -5, to: 7 }, { kind: 'fixed', from: -5, to: 7 }],
    ['all', { kind: 'all' }],
  ])('may show the window %j', (window, range) => {
    expect(only({ type: 'value', entity, key: 'cpu', window })?.widget).toMatchObject({ window: range });
  });

  test.each([
    ['x', /object/],
    [{ type: 'pie' }, /type/],
    [{ type: 'value', entity }, /key/],
    [{ type: 'value', key: 'a' }, /entity/],
    [{ type: 'value', entity: { entityType: 'DEVICE', id: 'x' }, key: 'a' }, /entity/],
    [{ type: 'value', entity, key: 'a', width: 13 }, /width.*1 to 12/],
    [{ type: 'value', entity, key: 'a', min: 5, max: 5 }, /min/],
    [{ type: 'value', entity, key: 'a', decimals: 1.5 }, /decimals/],
    [{ type: 'value', entity, key: 'a', title: 7 }, /title/],
    [{ type: 'chart', series: [] }, /series/],
    [{ type: 'chart', series: [{ entity, key: 'a' }], agg: 'avg' }, /agg/],
    [{ type: 'chart', series: [{ entity, key: 'a' }], interval: 999 }, /interval.*1000/],
    [{ type: 'chart', series: [{ entity, key: 'a' }], window: { from: 5, to: 5 } }, /window/],
    [{ type: 'chart', series: [{ entity, key: 'a' }], window: 5 }, /window/],
  ])('that breaks a rule names the member: %j', (widget, reason) => {
    expect(only(widget as object)?.problem).toMatch(reason);
  });

  test('that is broken leaves the others', () => {
    const parsed = parseDashboard({ tidewire: 1, widgets: [{ type: 'pie' }, { type: 'value', entity, key: 'a' }], later: true });
    expect(parsed.kind === 'ours' && parsed.places.map((p) => p.widget?.type)).toEqual([undefined, 'value']);
  });
});
