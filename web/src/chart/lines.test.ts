import { expect, test } from 'vitest';
import { legendLines, lineAt, valueText, type PanelLine } from './lines';

const entity = { entityType: 'DEVICE', id: 'a' };
const line = (id: string, change: Partial<PanelLine> = {}): PanelLine => ({ id, entity, key: id, label: id, type: 'number', color: 0, ...change });

test('a line keeps its colour when one before it is not drawn', () => {
  const all = legendLines([line('a'), line('b', { color: 1 }), line('c', { color: 2 })], new Map(), 'AVG', false);
  const fewer = legendLines([line('a'), line('c', { color: 2 })], new Map(), 'AVG', false);
  expect(fewer[1]?.drawn.color).toBe(all[2]?.drawn.color);
});

test('a boolean holds until it changes and reads as one; its count is a number without a unit', () => {
  const points = new Map([['on', { ts: [1000, 90_000], values: [1, 0] }]]);
  const [state] = legendLines([line('on', { type: 'boolean', unit: 'x' })], points, 'NONE', false);
  if (!state) throw new Error('no line');
  expect(valueText(state, lineAt(state, 89_000, 10)?.value)).toBe('true');
  expect(valueText(state, lineAt(state, 90_000, 10)?.value)).toBe('false');
  expect(valueText(state, lineAt(state, 10, 10)?.value)).toBe('–');
  const [counted] = legendLines([line('on', { type: 'boolean', unit: 'x' })], points, 'COUNT', false);
  expect(counted?.drawn).toMatchObject({ boolean: false, unit: undefined, axis: 'left' });
});
