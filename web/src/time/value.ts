// What a value's text says about its type. The wire writes int64 as digits and float64
// always with a fraction or an exponent, so numbers are certain; "true" and JSON may be
// strings that look so, which the typed answer of the server decides where it is known.

export type ValueType = 'boolean' | 'integer' | 'number' | 'json' | 'text' | 'none';

const integer = /^-?\d+$/;
const float = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/;

export function typeOfText(text: string | null): ValueType {
  if (text === null) return 'none';
  if (text === 'true' || text === 'false') return 'boolean';
  if (integer.test(text) && text.length <= 20) return 'integer';
  if (float.test(text)) return 'number';
  if (/^(\{.*\}|\[.*\])$/s.test(text)) return 'json';
  return 'text';
}

/** The type by the server's typed answer, with the text deciding between integer and float. */
export function typeOfTyped(typed: unknown, text: string | null): ValueType {
  switch (typeof typed) {
    case 'boolean':
      return 'boolean';
    case 'number':
      return typeOfText(text) === 'integer' ? 'integer' : 'number';
    case 'string':
      return 'text';
    case 'object':
      return typed === null ? 'none' : 'json';
    default:
      return typeOfText(text);
  }
}

export const isNumeric = (type: ValueType) => type === 'integer' || type === 'number';
export const isDrawable = (type: ValueType) => isNumeric(type) || type === 'boolean';

/** What a chart draws for a value: numbers as they are, booleans as 0 and 1, nothing else. */
export function drawn(text: string | null): number | undefined {
  if (text === 'true') return 1;
  if (text === 'false') return 0;
  if (text === null || !float.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

/**
 * How a value reads in a table or on a card. Text of the wire is shown as it is, digit by
 * digit (an int64 does not fit a JavaScript number), except that "42.0" and "1.0E10" read as
 * people write them.
 */
export function formatValue(text: string | null, type: ValueType, decimals?: number): string {
  if (text === null) return '–';
  if (decimals !== undefined && isNumeric(type)) {
    return Number(text).toLocaleString('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  }
  if (type !== 'number') return text;
  const value = Number(text);
  const size = Math.abs(value);
  return value === 0 || (size >= 1e-6 && size < 1e15) ? toPlain(value) : String(value);
}

function toPlain(value: number): string {
  const text = String(value);
  return text.includes('e') ? value.toFixed(20).replace(/\.?0+$/, '') : text;
}
