import { describe, expect, test } from 'vitest';
import { backoff } from './backoff';
import { decodeFrame, encodeMessages, maxMessage, subscribeCommand, type Command } from './protocol';

describe('messages', () => {
  test('stay below the size the server reads, each command in exactly one', () => {
    const commands = Array.from({ length: 400 }, (_, i) =>
      subscribeCommand({ type: 'TIMESERIES', entity: { entityType: 'DEVICE', id: '784f394c-42b6-435a-983c-b7beff2784f9' } }, i + 1),
    );
    const messages = encodeMessages(commands, 'x'.repeat(700));
    expect(messages.length).toBeGreaterThan(1);
    expect(Math.max(...messages.map((m) => m.length))).toBeLessThan(maxMessage + 1024);
    const parsed = messages.map((m) => JSON.parse(m) as { authCmd?: object; cmds: Command[] });
    expect(parsed.map((m) => m.authCmd !== undefined)).toEqual(parsed.map((_, i) => i === 0));
    expect(parsed.flatMap((m) => m.cmds.map((c) => c.cmdId))).toEqual(commands.map((c) => c.cmdId));
  });

  test('carry the token even without commands', () => {
    expect(encodeMessages([], 'abc')).toEqual(['{"authCmd":{"cmdId":0,"token":"abc"},"cmds":[]}']);
    expect(encodeMessages([])).toEqual([]);
  });
});

describe('frames', () => {
  test('keep the text of large integers', () => {
    const frame = decodeFrame('{"subscriptionId":1,"errorCode":0,"data":{"n":[[1,"9007199254740993"]]}}');
    expect(frame).toEqual({ kind: 'update', id: 1, update: { data: { n: [[1, '9007199254740993']] }, deleted: [] } });
  });

  test.each(['', '[]', 'null', '{"subscriptionId":"1"}', '{"subscriptionId":1,"errorCode":0}', '{"subscriptionId":1,"data":3}'])(
    'that make no sense are unknown: %s',
    (text) => expect(decodeFrame(text).kind).toBe('unknown'),
  );

  test('with points of a wrong shape lose only those', () => {
    const frame = decodeFrame('{"subscriptionId":1,"data":{"a":[["x","1"],[2,"3"]],"b":7,"c":[[5,null]]}}');
    expect(frame).toMatchObject({ update: { data: { a: [[2, '3']], c: [[5, null]] } } });
  });
});

test('waits double from 1 s to 30 s, with up to a quarter of chance on top', () => {
  expect([0, 1, 2, 3, 4, 5, 6, 50].map((n) => backoff(n, () => 0))).toEqual([1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000]);
  expect(backoff(0, () => 0.999)).toBe(1250);
});
