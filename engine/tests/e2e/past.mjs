// node's `ws` asks for what it missed: far more than the node has in memory, while more is published, slowly, and where it is not
// there any more. Before this script ran, the node kept 730 messages in `past` and 60 large ones in `large`, and was killed.
import assert from 'node:assert/strict';
import WebSocket from 'ws';
import { ready, soon } from './client.mjs';

const KEY = ready.tenants[0].project_key;

async function post(path, body, method = 'POST') {
  const answer = await fetch(`${ready.http}/v1/realtime${path}`, {
    method,
    headers: { Authorization: `Bearer ${KEY}`, 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  const envelope = await answer.json();
  assert.ok(envelope.ok, JSON.stringify(envelope));
  return envelope.data;
}

async function connect() {
  const { token } = await post('/token/issue', { client_id: 'ada', capabilities: ['subscribe', 'presence', 'history'] });
  const socket = new WebSocket(`${ready.ws}/v1/realtime/ws?token=${token}`);
  const frames = [];
  socket.on('message', (text) => frames.push(JSON.parse(text)));
  let code;
  socket.on('close', (it) => (code = it));
  await soon(new Promise((done) => socket.on('open', done)), 'a socket');
  return { socket, frames, closedWith: () => code };
}

async function until(what, is) {
  for (let times = 0; times < 1000; times += 1) {
    if (is()) return;
    await new Promise((done) => setTimeout(done, 10));
  }
  throw new Error(`waited in vain for ${what}`);
}

const say = (client, frame) => client.socket.send(JSON.stringify(frame));
const of = (client, type) => client.frames.filter((it) => it.type === type);

/** Every offset from one to the other, each once and in order. */
function dense(client, first, last) {
  const offsets = of(client, 'message').filter((it) => it.offset).map((it) => it.offset);
  assert.deepEqual(offsets, Array.from({ length: last - first + 1 }, (_, it) => first + it));
}

async function everythingThenLive() {
  const client = await connect();
  say(client, { type: 'subscribe', channel: 'past', after: 0, id: 1 });
  // More is published meanwhile; what is not kept is for those who are live.
  for (let n = 731; n <= 760; n += 1) await post('/publish', { channel: 'past', event: 'e', data: { n } });
  await until('the end of the past', () => of(client, 'recovered').length === 1);
  await post('/publish', { channel: 'past', event: 'live', data: 'now', persist: false });
  await post('/publish', { channel: 'past', event: 'e', data: { n: 761 } });
  await until('a live message', () => of(client, 'message').at(-1)?.offset === 761);
  dense(client, 1, 761);
  for (const it of of(client, 'message').filter((it) => it.offset)) assert.equal(it.data.n, it.offset);
  assert.equal(of(client, 'message').filter((it) => it.event === 'live').length, 1);
  const [answer] = of(client, 'subscribed');
  assert.deepEqual([answer.id, answer.recovered, answer.recovering], [1, true, true]);
  assert.ok(answer.position >= 730);
  assert.deepEqual(answer.members, [{ client_id: 'ada' }]);
  const at = (type) => client.frames.findIndex((it) => it.type === type);
  const last = client.frames.findIndex((it) => it.offset === of(client, 'recovered')[0].position);
  assert.equal(at('recovered'), last + 1, 'it stands right behind the last that was missed');
  client.socket.close();
}

async function fromWhereverItStopped() {
  for (const after of [1, 500, 755, 758, 760, 761]) {
    const client = await connect();
    say(client, { type: 'subscribe', channel: 'past', after });
    await until('an answer', () => of(client, 'subscribed').length === 1);
    assert.equal(of(client, 'subscribed')[0].recovered, true, `after ${after}`);
    await until('the last', () => after === 761 || of(client, 'message').at(-1)?.offset === 761);
    dense(client, after + 1, 761);
    client.socket.close();
  }
}

async function slowReadersAreNotCut() {
  const client = await connect();
  const stream = client.socket._socket;
  say(client, { type: 'subscribe', channel: 'large', after: 0 });
  for (let times = 0; times < 8; times += 1) {
    await new Promise((done) => setTimeout(done, 60));
    stream.pause();
    await new Promise((done) => setTimeout(done, 120));
    stream.resume();
  }
  await until('all of the large ones', () => of(client, 'message').at(-1)?.offset === 60);
  dense(client, 1, 60);
  assert.ok(of(client, 'message').every((it) => it.data.length === 60_000));
  assert.equal(client.closedWith(), undefined);
  client.socket.close();
}

async function askingAgainMeanwhile() {
  const client = await connect();
  say(client, { type: 'subscribe', channel: 'large', after: 0, id: 1 });
  say(client, { type: 'subscribe', channel: 'past', after: 700, id: 2 });
  say(client, { type: 'subscribe', channel: 'past', after: 760, id: 3 });
  say(client, { type: 'unsubscribe', channel: 'large', id: 4 });
  await until('four answers', () => client.frames.filter((it) => it.id).length === 4);
  await post('/publish', { channel: 'large', event: 'e', data: 'x'.repeat(60_000) });
  await post('/publish', { channel: 'past', event: 'e', data: { n: 762 } });
  await until('a live message', () => of(client, 'message').at(-1)?.offset === 762);
  const behind = client.frames.findIndex((it) => it.type === 'unsubscribed');
  assert.ok(client.frames.slice(behind).every((it) => it.channel !== 'large' || it.type === 'unsubscribed'));
  client.socket.close();
}

async function whatIsNotThereIsTold() {
  const client = await connect();
  say(client, { type: 'subscribe', channel: 'past', after: 1_000_000, id: 1 });
  await until('an answer', () => of(client, 'subscribed').length === 1);
  const [ahead] = of(client, 'subscribed');
  assert.deepEqual([ahead.recovered, ahead.reason, ahead.position], [false, 'ahead', 762]);
  for (let n = 1; n <= 9; n += 1) await post('/publish', { channel: 'gone', event: 'e', data: n });
  await post('/channel/delete/gone', {}, 'DELETE');
  await post('/publish', { channel: 'gone', event: 'e', data: 10 });
  say(client, { type: 'subscribe', channel: 'gone', after: 2, id: 2 });
  await until('an answer', () => of(client, 'subscribed').length === 2);
  const gone = of(client, 'subscribed')[1];
  assert.deepEqual([gone.recovered, gone.reason, gone.position], [false, 'not_retained', 10]);
  assert.equal(gone.recovering, undefined);
  await post('/publish', { channel: 'gone', event: 'e', data: 11 });
  await until('a live message', () => of(client, 'message').at(-1)?.offset === 11);
  dense(client, 11, 11);
  client.socket.close();
}

await everythingThenLive();
await fromWhereverItStopped();
await slowReadersAreNotCut();
await askingAgainMeanwhile();
await whatIsNotThereIsTold();
