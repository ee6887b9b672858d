// What the scripts for InsForge share: keys, tokens of users, calls, and clients whose events are awaited one by one.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { createAdminClient, createClient } from '@insforge/sdk';
import { io } from 'socket.io-client';
import { Client, PATIENCE_MS, ready, soon } from '../client.mjs';

export { PATIENCE_MS, ready, soon };
export const keys = ready.tenants[0];
export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;
export const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/** A token as an authentication service makes it: HS256, for a quarter of an hour. */
export function jwt(claims, secret = keys.jwt_secret) {
  const now = Math.floor(Date.now() / 1000);
  const text = [{ alg: 'HS256', typ: 'JWT' }, { iat: now, exp: now + 900, ...claims }]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

export const tokenOf = (sub, more) => jwt({ sub, email: `${sub}@a.example`, role: 'authenticated', ...more });

/** Calls as an administrator. */
export async function call(method, path, body, key = keys.api_key) {
  const headers = { Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' };
  const answer = await fetch(`${ready.http}/api/realtime${path}`, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
  return JSON.parse(text);
}

/** Opens the channels of a pattern to everyone. */
export const open = (pattern, more) => call('POST', '/channels', { pattern, ...more });

/** What happens to a client, in order. */
export class Events {
  constructor() {
    this.past = [];
    this.waiting = [];
  }

  add(name, value) {
    this.past.push([name, value]);
    this.waiting.shift()?.();
  }

  async next() {
    if (this.past.length === 0) await soon(new Promise((done) => this.waiting.push(done)), 'an event');
    return this.past.shift();
  }

  /** The next event, which has this name. */
  async value(name) {
    const [found, value] = await this.next();
    assert.equal(found, name, JSON.stringify(value));
    return value;
  }

  /** The next event that has this name; those before are dropped. */
  async skipTo(name) {
    for (;;) {
      const [found, value] = await this.next();
      if (found === name) return value;
    }
  }
}

/** The SDK, as a page without an account uses it, or one of a user. */
export const page = (sub) =>
  createClient({ baseUrl: ready.http, anonKey: keys.anon_key, ...(sub && { accessToken: tokenOf(sub) }) }).realtime;

/** The SDK, as a server uses it. */
export const server = () => createAdminClient({ baseUrl: ready.http, apiKey: keys.api_key }).realtime;

/** Collects what the SDK tells of these. */
export function listen(realtime, ...names) {
  const events = new Events();
  for (const name of names) realtime.on(name, (value) => events.add(name, value));
  return events;
}

/** A subscription that must succeed; the members. */
export async function enter(realtime, channel) {
  const answer = await realtime.subscribe(channel);
  assert.equal(answer.ok, true, JSON.stringify(answer));
  assert.equal(answer.channel, channel);
  return answer.presence.members;
}

/** The reference client of Socket.IO. It does not come again by itself. */
export function socket(auth, options) {
  const made = io(ready.http, { transports: ['websocket'], forceNew: true, reconnection: false, auth, ...options });
  made.events = new Events();
  made.onAny((name, value) => made.events.add(name, value));
  made.on('connect_error', (why) => made.events.add('connect_error', why.message));
  made.on('connect', () => made.events.add('connect', made.id));
  made.on('disconnect', (why) => made.events.add('disconnect', why));
  return made;
}

/** The answer to an event that awaits one. */
export const ask = (socket, name, value) => soon(socket.emitWithAck(name, value), `an answer to ${name}`);

/** A WebSocket under which no library hides the frames. */
export class Frames extends Client {
  static socketIo = () => new Frames(`${ready.ws}/socket.io/?EIO=4&transport=websocket`);

  static plain = () => new Frames(`${ready.ws}/realtime`);

  /** One of the documents' wire, let in by this. */
  static async known(token) {
    const client = Frames.plain();
    await client.opened;
    assert.equal((await client.ask({ type: 'auth', token })).type, 'auth_success');
    return client;
  }

  constructor(url) {
    super(url);
    this.opened = soon(new Promise((done) => this.socket.on('open', done)), 'a socket');
  }

  /** Sends a frame, and gives the next one. */
  ask(frame) {
    this.send(frame);
    return this.nextJson();
  }
}

/** Whether something is the `meta` of a message. */
export function checkMeta(meta, expected) {
  const { messageId, timestamp, ...rest } = meta;
  assert.match(messageId, UUID);
  assert.match(timestamp, TIME);
  assert.deepEqual(rest, expected);
}
