// The configuration of a dashboard, as docs/dashboards.md describes it, and the code that
// holds a configuration against it. Rules stand here once, for the page and for that document.

import type { EntityId } from '../live/protocol';
import { aggs, type Agg } from '../time/buckets';
import { hour, type Range } from '../time/range';

export const schemaVersion = 1;
export const mostWidgets = 60;
export const mostSeries = 12;

interface Base {
  title: string;
  /** Columns of 12. */
  width: number;
}

export interface ValueWidget extends Base {
  type: 'value';
  entity: EntityId;
  key: string;
  unit?: string;
  decimals?: number;
  min?: number;
  max?: number;
  window?: Range;
}

export interface ChartSeries {
  entity: EntityId;
  key: string;
  label: string;
  unit?: string;
}

export interface ChartWidget extends Base {
  type: 'chart';
  series: ChartSeries[];
  window: Range;
  agg: Agg;
  /** ms; 0 is automatic. */
  interval: number;
  height: number;
}

export type Widget = ValueWidget | ChartWidget;

/** A widget, or what is wrong with it. */
export type Place = { widget: Widget; problem?: undefined } | { widget?: undefined; problem: string };

export type Parsed =
  | { kind: 'ours'; description: string; places: Place[] }
  /** Written for another program. */
  | { kind: 'foreign' }
  /** Ours, but not to be shown. */
  | { kind: 'broken'; problem: string };

/** A rule that a member breaks. */
class Broken extends Error {}

type Members = Record<string, unknown>;

const isObject = (value: unknown): value is Members => typeof value === 'object' && value !== null && !Array.isArray(value);

export function parseDashboard(configuration: unknown): Parsed {
  if (!isObject(configuration) || !('tidewire' in configuration)) return { kind: 'foreign' };
  const version = configuration.tidewire;
  if (typeof version !== 'number' || !Number.isInteger(version) || version < 1) {
    return { kind: 'broken', problem: '“tidewire” must be the version of the schema, a whole number from 1.' };
  }
  if (version > schemaVersion) {
    return { kind: 'broken', problem: `It was written for schema ${version}; this page knows ${schemaVersion}. A newer Tidewire can show it.` };
  }
  const { widgets } = configuration;
  if (!Array.isArray(widgets)) return { kind: 'broken', problem: '“widgets” must be an array.' };
  if (widgets.length > mostWidgets) return { kind: 'broken', problem: `“widgets” has ${widgets.length} elements; ${mostWidgets} are the most.` };
  const description = typeof configuration.description === 'string' ? configuration.description : '';
  return { kind: 'ours', description, places: widgets.map(parsePlace) };
}

function parsePlace(value: unknown): Place {
  try {
    return { widget: parseWidget(value) };
  } catch (error) {
    if (error instanceof Broken) return { problem: error.message };
    throw error;
  }
}

function parseWidget(value: unknown): Widget {
  if (!isObject(value)) throw new Broken('a widget must be an object');
  if (value.type === 'value') return parseValue(value);
  if (value.type === 'chart') return parseChart(value);
  throw new Broken('“type” must be “value” or “chart”');
}

function parseValue(members: Members): ValueWidget {
  const key = requiredText(members, 'key');
  const widget: ValueWidget = {
    type: 'value',
    title: text(members, 'title') ?? key,
    width: whole(members, 'width', 1, 12) ?? 3,
    entity: entity(members),
    key,
  };
  const unit = text(members, 'unit');
  const decimals = whole(members, 'decimals', 0, 10);
  const [min, max] = [number(members, 'min'), number(members, 'max')];
  if (unit !== undefined) widget.unit = unit;
  if (decimals !== undefined) widget.decimals = decimals;
  if (min !== undefined && max !== undefined) {
    if (min >= max) throw new Broken('“min” must be less than “max”');
    widget.min = min;
    widget.max = max;
  }
  if (members.window !== undefined) widget.window = parseWindow(members.window);
  return widget;
}

function parseChart(members: Members): ChartWidget {
  const { series: list } = members;
  if (!Array.isArray(list) || list.length < 1 || list.length > mostSeries) {
    throw new Broken(`“series” must be an array of 1 to ${mostSeries}`);
  }
  const series = list.map((each: unknown): ChartSeries => {
    if (!isObject(each)) throw new Broken('an element of “series” must be an object');
    const key = requiredText(each, 'key');
    const unit = text(each, 'unit');
    return { entity: entity(each), key, label: text(each, 'label') ?? key, ...(unit === undefined ? {} : { unit }) };
  });
  const agg = members.agg ?? 'AVG';
  const known = aggs.find((a) => a.value === agg);
  if (!known) throw new Broken(`“agg” must be one of ${aggs.map((a) => a.value).join(', ')}`);
  return {
    type: 'chart',
    title: text(members, 'title') ?? series.map((s) => s.label).join(', '),
    width: whole(members, 'width', 1, 12) ?? 6,
    series,
    window: members.window === undefined ? { kind: 'last', ms: hour } : parseWindow(members.window),
    agg: known.value,
    interval: whole(members, 'interval', 1000, Number.MAX_SAFE_INTEGER) ?? 0,
    height: whole(members, 'height', 120, 800) ?? 280,
  };
}

function parseWindow(value: unknown): Range {
  if (value === 'all') return { kind: 'all' };
  if (isObject(value)) {
    if (value.last !== undefined) return { kind: 'last', ms: whole(value, 'last', 1000, Number.MAX_SAFE_INTEGER) ?? hour };
    const [from, to] = [number(value, 'from'), number(value, 'to')];
    if (from !== undefined && to !== undefined) {
      if (from >= to) throw new Broken('“window.from” must be less than “window.to”');
      return { kind: 'fixed', from, to };
    }
  }
  throw new Broken('“window” must be {"last": ms}, {"from": ms, "to": ms} or "all"');
}

function entity(members: Members): EntityId {
  const value = members.entity;
  if (isObject(value) && typeof value.entityType === 'string' && typeof value.id === 'string' && /^[0-9a-f-]{36}$/i.test(value.id)) {
    return { entityType: value.entityType, id: value.id };
  }
  throw new Broken('“entity” must be {"entityType": …, "id": a UUID}');
}

function text(members: Members, name: string): string | undefined {
  const value = members[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw new Broken(`“${name}” must be a string`);
  return value;
}

function requiredText(members: Members, name: string): string {
  const value = text(members, name);
  if (!value) throw new Broken(`“${name}” is required`);
  return value;
}

function number(members: Members, name: string): number | undefined {
  const value = members[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new Broken(`“${name}” must be a number`);
  return value;
}

function whole(members: Members, name: string, least: number, most: number): number | undefined {
  const value = number(members, name);
  if (value === undefined) return undefined;
  if (!Number.isInteger(value) || value < least || value > most) {
    const bounds = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
    throw new Broken(`“${name}” must be a whole number ${bounds}`);
  }
  return value;
}
