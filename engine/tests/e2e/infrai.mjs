// node's `ws` speaks Infrai: many channels on one socket, what was missed, who is there, and every way to be sent away.
import assert from 'node:assert/strict';
import WebSocket from 'ws';
import { Client, post as cohesivity, ready } from './client.mjs';

const PATIENCE_MS = 10_000;
const KEY = ready.tenants[0].project_key;

async function call(method, path, body) {
  const answer = await fetch(`${ready.http}/v1/realtime${path}`, {
    method,
    headers: { Authorization: `Bearer ${KEY}`, 'Content-Type': 'application/json' },
    body: body && JSON.stringify(body),
  });
  const envelope = await answer.json();
  assert.ok(envelope.ok, JSON.stringify(envelope));
  return envelope.data;
}

const post = (path, body) => call('POST', path, body);

class Infrai {
  constructor(socket) {
    this.socket = socket;
    this.frames = [];
    this.waiting = [];
    this.closed = new Promise((done) => socket.on('close', (code) => done(code)));
    socket.on('message', (text) => {
      this.frames.push(String(text));
      this.waiting.shift()?.();
    });
  }

  static async connect(options, protocols) {
    const { token, client_id } = await post('/token/issue', options);
    const url = `${ready.ws}/v1/realtime/ws`;
    const socket = protocols ? new WebSocket(url, ['infrai', token]) : new WebSocket(`${url}?token=${token}`);
    const client = new Infrai(socket);
    const connected = await client.next();
    assert.equal(connected.type, 'connected');
    assert.equal(connected.client_id, client_id);
    return client;
  }

  async nextText() {
    if (!this.frames.length) {
      await new Promise((done, fail) => {
        const timer = setTimeout(() => fail(new Error('no frame came')), PATIENCE_MS);
        this.waiting.push(() => (clearTimeout(timer), done()));
      });
    }
    return this.frames.shift();
  }

  async next() {
    return JSON.parse(await this.nextText());
  }

  say(frame) {
    this.socket.send(JSON.stringify(frame));
  }

  async ask(frame) {
    this.say(frame);
    return this.next();
  }
}

const ALL = ['subscribe', 'publish', 'presence', 'history'];

async function manyChannelsOnOneSocket() {
  const ada = await Infrai.connect({ client_id: 'ada', capabilities: ALL });
  for (const channel of ['m:1', 'm:2', 'm:3']) {
    const answer = await ada.ask({ type: 'subscribe', channel, id: channel });
    assert.deepEqual(answer, { type: 'subscribed', channel, id: channel, members: [{ client_id: 'ada' }], position: 0 });
  }
  for (const channel of ['m:3', 'm:1']) {
    ada.say({ type: 'publish', channel, event: 'e', data: { channel }, id: 1 });
    const both = [await ada.next(), await ada.next()];
    const message = both.find((it) => it.type === 'message');
    const published = both.find((it) => it.type === 'published');
    assert.equal(message.message_id, published.message_id);
    assert.deepEqual([message.data, message.client_id, published.id], [{ channel }, 'ada', 1]);
  }
  assert.equal((await ada.ask({ type: 'unsubscribe', channel: 'm:1', id: 7 })).type, 'unsubscribed');
  await post('/publish', { channel: 'm:1', event: 'e', data: 'missed' });
  const again = await ada.ask({ type: 'subscribe', channel: 'm:1', after: 1 });
  assert.deepEqual([again.position, again.recovered], [2, true]);
  assert.equal((await ada.next()).data, 'missed');
  assert.equal((await ada.ask({ type: 'dance', id: 'x' })).error.code, 'INVALID_REQUEST');
  assert.deepEqual(await ada.ask({ type: 'ping', id: 2 }), { type: 'pong', id: 2 });
  ada.socket.close();
  await ada.closed;
}

async function tokensAllowWhatTheySay() {
  await post('/channels', { name: 'p:secret', type: 'private' });
  const open = await Infrai.connect({ client_id: 'eve' });
  const no = await open.ask({ type: 'subscribe', channel: 'p:secret', id: 1 });
  assert.deepEqual([no.type, no.id, no.error.code], ['error', 1, 'FORBIDDEN']);
  const mute = await open.ask({ type: 'publish', channel: 'p:open', event: 'e', data: 1 });
  assert.equal(mute.error.code, 'FORBIDDEN');
  const named = await Infrai.connect({ client_id: 'bob', channels: ['p:*'] }, 'in a subprotocol');
  const yes = await named.ask({ type: 'subscribe', channel: 'p:secret' });
  assert.deepEqual(yes, { type: 'subscribed', channel: 'p:secret', position: 0 });
  for (const client of [open, named]) client.socket.close();
}

async function membersAreThoseThatMayBe() {
  const ada = await Infrai.connect({ client_id: 'ada', capabilities: ALL });
  await ada.ask({ type: 'subscribe', channel: 'here' });
  const hidden = await Infrai.connect({ client_id: 'hidden' });
  await hidden.ask({ type: 'subscribe', channel: 'here' });
  const bob = await Infrai.connect({ client_id: 'bob', capabilities: ALL });
  await bob.ask({ type: 'subscribe', channel: 'here' });
  const join = await ada.next();
  assert.deepEqual(join, { type: 'presence', action: 'join', channel: 'here', member: { client_id: 'bob' } });
  assert.deepEqual(await call('GET', '/presence/get/here'), { members: [{ client_id: 'ada' }, { client_id: 'bob' }] });
  assert.deepEqual(await post('/user/disconnect', { client_id: 'bob', channel: 'here' }), { disconnected: 1 });
  assert.equal((await bob.next()).type, 'unsubscribed');
  assert.equal((await ada.next()).action, 'leave');
  assert.deepEqual(await post('/user/disconnect', { client_id: 'bob' }), { disconnected: 1 });
  assert.equal(await bob.closed, 4003);
  assert.equal((await call('DELETE', '/channel/delete/here')).deleted, true);
  assert.deepEqual(await ada.next(), { type: 'channel_deleted', channel: 'here' });
  assert.deepEqual(await hidden.next(), { type: 'channel_deleted', channel: 'here' });
  for (const client of [ada, hidden]) client.socket.close();
}

async function dialectsMeet() {
  const channel = 'meet';
  const infrai = await Infrai.connect({ client_id: 'ada', capabilities: ['subscribe', 'publish'] });
  await infrai.ask({ type: 'subscribe', channel });
  const other = await Client.join(channel, 'bob');
  const payload = '{ "n":12345678901234567890,"f":1e400, "n":"\\u00e9"}';
  infrai.socket.send(`{"type":"publish","channel":"${channel}","event":"x","data":${payload}}`);
  assert.ok((await other.next()).includes(payload));
  const both = [await infrai.nextText(), await infrai.nextText()];
  assert.ok(both.some((it) => it.includes(payload)));
  await cohesivity('/edge/realtime', { channel, event: 'y', data: [1.5] });
  const message = await infrai.next();
  assert.deepEqual([message.event, message.data, message.offset], ['y', [1.5], 2]);
  infrai.socket.close();
  await other.end();
}

await manyChannelsOnOneSocket();
await tokensAllowWhatTheySay();
await membersAreThoseThatMayBe();
await dialectsMeet();
