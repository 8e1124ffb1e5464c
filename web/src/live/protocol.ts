// The frames of /api/ws as this page uses them: commands in the typed envelope, updates of
// TIMESERIES and ATTRIBUTES subscriptions. Values travel as text.

export interface EntityId {
  entityType: string;
  id: string;
}

export type AttributeScope = 'CLIENT_SCOPE' | 'SERVER_SCOPE' | 'SHARED_SCOPE';

/** What to listen to. No keys means every key, also those that come later. */
export type Topic =
  | { type: 'TIMESERIES'; entity: EntityId; keys?: readonly string[] }
  | { type: 'ATTRIBUTES'; entity: EntityId; scope: AttributeScope; keys?: readonly string[] };

export interface Command {
  type: 'TIMESERIES' | 'ATTRIBUTES';
  cmdId: number;
  entityType?: string;
  entityId?: string;
  scope?: string;
  keys?: string;
  unsubscribe?: boolean;
  /** Asks that frames say where they stand. */
  positions?: boolean;
  /** Goes on behind a position, in place of beginning with a snapshot. */
  resume?: string;
}

/** A point as it travels: ts in ms, value as text; null where a key has none. */
export type WirePoint = readonly [ts: number, value: string | null];

export interface Update {
  data: Record<string, WirePoint[]>;
  /** The key no longer exists; the wire says so with [[0,""]]. */
  deleted: string[];
}

export type Frame =
  /** resync: what was missed cannot be told, this is a snapshot again. */
  | { kind: 'update'; id: number; update: Update; position?: string; resync?: boolean }
  | { kind: 'error'; id: number; code: number; message: string }
  | { kind: 'unknown' };

export function subscribeCommand(topic: Topic, cmdId: number, position?: string): Command {
  return { ...command(topic, cmdId), ...(position === undefined ? { positions: true } : { resume: position }) };
}

function command(topic: Topic, cmdId: number): Command {
  return {
    type: topic.type,
    cmdId,
    entityType: topic.entity.entityType,
    entityId: topic.entity.id,
    scope: topic.type === 'TIMESERIES' ? 'LATEST_TELEMETRY' : topic.scope,
    ...(topic.keys?.length ? { keys: topic.keys.join(',') } : {}),
  };
}

export function unsubscribeCommand(topic: Topic, cmdId: number): Command {
  return { ...command(topic, cmdId), unsubscribe: true };
}

/** One string per topic, equal for equal topics. */
export function topicKey(topic: Topic): string {
  const scope = topic.type === 'ATTRIBUTES' ? topic.scope : '';
  return [topic.type, topic.entity.entityType, topic.entity.id, scope, topic.keys?.join(',') ?? ''].join('|');
}

/** The server reads messages of at most 32 KiB; this stays below it with room for the token. */
export const maxMessage = 24 * 1024;

/** Packs commands into messages, the first of which carries the token. */
export function encodeMessages(commands: readonly Command[], token?: string): string[] {
  const messages: string[] = [];
  let auth = token === undefined ? undefined : { cmdId: 0, token };
  let batch: Command[] = [];
  let size = auth ? auth.token.length : 0;
  const flush = () => {
    if (!auth && batch.length === 0) return;
    messages.push(JSON.stringify(auth ? { authCmd: auth, cmds: batch } : { cmds: batch }));
    auth = undefined;
    batch = [];
    size = 0;
  };
  for (const command of commands) {
    const length = JSON.stringify(command).length + 1;
    if (size + length > maxMessage && batch.length > 0) flush();
    batch.push(command);
    size += length;
  }
  flush();
  return messages;
}

function isPoint(value: unknown): value is WirePoint {
  return (
    Array.isArray(value) &&
    typeof value[0] === 'number' &&
    (typeof value[1] === 'string' || value[1] === null)
  );
}

/** Reads one message. Anything this page does not know is 'unknown', never an exception. */
export function decodeFrame(text: string): Frame {
  let frame: Record<string, unknown>;
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed !== 'object' || parsed === null) return { kind: 'unknown' };
    frame = parsed as Record<string, unknown>;
  } catch {
    return { kind: 'unknown' };
  }
  const id = frame.subscriptionId ?? frame.cmdId;
  if (typeof id !== 'number') return { kind: 'unknown' };
  if (typeof frame.errorCode === 'number' && frame.errorCode !== 0) {
    const message = typeof frame.errorMsg === 'string' ? frame.errorMsg : 'The server gave no reason.';
    return { kind: 'error', id, code: frame.errorCode, message };
  }
  if (typeof frame.data !== 'object' || frame.data === null) return { kind: 'unknown' };
  const update: Update = { data: {}, deleted: [] };
  for (const [key, points] of Object.entries(frame.data as Record<string, unknown>)) {
    if (!Array.isArray(points)) continue;
    const list = points.filter(isPoint);
    const only = list.length === 1 ? list[0] : undefined;
    if (only?.[0] === 0 && only[1] === '') update.deleted.push(key);
    else if (list.length > 0) update.data[key] = list;
  }
  return {
    kind: 'update',
    id,
    update,
    ...(typeof frame.position === 'string' ? { position: frame.position } : {}),
    ...(typeof frame.resync === 'string' ? { resync: true } : {}),
  };
}
