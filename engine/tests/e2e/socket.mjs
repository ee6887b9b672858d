// node's `ws`: a whole life on a channel, and every way to be sent away.
import assert from 'node:assert/strict';
import WebSocket from 'ws';
import { Client, post, ready, socketUrl, soon, token } from './client.mjs';

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

async function membersSeeEachOther() {
  const channel = 'chat:käse & co';
  const ada = await Client.join(channel, 'ada', 'Ada');
  assert.deepEqual(ada.presence, [{ id: 'ada', name: 'Ada' }]);
  const bob = await Client.join(channel, 7);
  assert.deepEqual(bob.presence.toSorted((a, b) => (a.id < b.id ? -1 : 1)), [{ id: '7' }, { id: 'ada', name: 'Ada' }]);
  assert.equal(await ada.next(), JSON.stringify({ action: 'join', channel, user: { id: '7' } }));

  const second = await Client.join(channel, 'ada', 'Ada'); // one member on two sockets
  assert.equal((await second.end()).code, 1000);
  assert.equal((await bob.end()).code, 1000);
  const leave = await ada.nextJson(); // nothing was said of the second socket
  assert.match(leave.last_seen, ISO);
  assert.ok(Math.abs(Date.parse(leave.last_seen) - Date.now()) < 60_000);
  assert.deepEqual(leave, { action: 'leave', channel, user: { id: '7' }, last_seen: leave.last_seen });
  await ada.end();
}

async function messagesReachEveryone() {
  const channel = 'chat:everyone';
  const ada = await Client.join(channel, 'ada');
  const bob = await Client.join(channel, 'bob');
  await ada.next(); // bob's join
  const kept = await ada.publish(JSON.stringify({ action: 'publish', event: 'greet', data: { text: 'hi' } }));
  const { created_at_ms } = kept.answer;
  assert.ok(Number.isInteger(created_at_ms) && Math.abs(created_at_ms - Date.now()) < 60_000);
  assert.deepEqual(kept.answer, { action: 'published', event: 'published', channel, created_at_ms, id: 1 });
  const message = { action: 'greet', event: 'greet', channel, data: { text: 'hi' }, created_at_ms, id: 1 };
  assert.deepEqual(JSON.parse(kept.echo), message);
  assert.deepEqual(await bob.nextJson(), message);

  const passing = await bob.publish('{"action":"publish","data":null,"persist":false}');
  assert.equal('id' in passing.answer, false);
  const seen = await ada.nextJson();
  assert.equal(seen.event, 'message');
  assert.equal('id' in seen, false);

  const published = await post('/edge/realtime', { channel, event: 'rest', data: [1] });
  assert.equal(published.id, 2);
  for (const client of [ada, bob]) {
    const { event, data, id } = await client.nextJson();
    assert.deepEqual({ event, data, id }, { event: 'rest', data: [1], id: 2 });
  }
  await Promise.all([ada.end(), bob.end()]);
}

async function payloadsArriveByteForByte() {
  const channel = 'chat:bytes';
  const client = await Client.join(channel, 'ada');
  const payloads = [
    '1e400',
    '12345678901234567890',
    '0.1000',
    '{"b":1,"a":2,"b":3}',
    '"\\u00e9\\ud800 \\/ \\n ☃"',
    '[ 1 ,  2 ]',
    '""',
    'false',
    JSON.stringify('x'.repeat(60_000)),
  ];
  for (const payload of payloads) {
    const { echo } = await client.publish(`{"action":"publish","data":${payload}}`);
    assert.ok(echo.includes(`,"data":${payload},"created_at_ms":`), echo.slice(0, 200));
  }
  const url = `${ready.http}/edge/realtime/history?channel=${channel}&key=${ready.tenants[0].application_key}`;
  const history = await (await fetch(url)).text();
  for (const payload of payloads) assert.ok(history.includes(`"data":${payload},`), payload.slice(0, 80));
  await client.end();
}

async function wrongFramesAreAnsweredAndTheSocketStays() {
  const client = await Client.join('chat:wrong', 'ada');
  const check = async (text, error) => {
    client.send(text);
    assert.equal(await client.next(), JSON.stringify({ error }));
  };
  await check('{', 'Invalid JSON');
  await check('', 'Invalid JSON');
  await check('[]', 'Invalid JSON');
  await check('{"action":"publish","data":01}', 'Invalid JSON');
  await check('{"action":"subscribe"}', 'Unknown action: "subscribe". Use: publish');
  await check('{"action":"a\\"b"}', 'Unknown action: "a"b". Use: publish');
  await check('{}', 'Unknown action: "undefined". Use: publish');
  await check('{"action":"publish"}', 'publish requires "data"');
  await check('{"action":"publish","event":"e","persist":false}', 'publish requires "data"');
  await check('{"action":"publish","data":1,"persist":"no"}', '"persist" must be a boolean');
  await check('{"action":"publish","data":1,"event":5}', '"event" must be a string');
  await check('{"action":"publish","data":1,"data":2}', '"data" came more than once');
  await client.publish('{"action":"publish","data":1}');
  await client.end();
}

async function framesComeInAnyShape() {
  const client = await Client.join('chat:shape', 'ada');
  const pong = new Promise((done) => client.socket.once('pong', done));
  client.socket.ping('are you there');
  assert.equal(`${await soon(pong, 'a pong')}`, 'are you there');
  const text = Buffer.from('{"action":"publish","data":"grün ☃"}');
  const echo = client.next();
  for (let at = 0; at < text.length; at += 1) { // every byte a frame: the snowman is torn
    client.socket.send(text.subarray(at, at + 1), { binary: false, fin: at + 1 === text.length });
    if (at === 5) client.socket.ping('between');
  }
  assert.equal(JSON.parse(await echo).data, 'grün ☃');
  await client.next();
  await client.end();
}

async function clientsAreSentAwayWithTheRightCode() {
  const check = async (code, act) => {
    const client = await Client.join('chat:codes', 'ada');
    await act(client);
    const closed = await soon(client.closed, `close ${code}`);
    assert.equal(closed.code, code, `${closed.code} ${closed.reason} instead of ${code}`);
  };
  await check(1000, (it) => it.socket.close(1000, 'bye'));
  await check(4321, (it) => it.socket.close(4321, 'mine'));
  await check(1002, (it) => it.raw(0x81, 0x01, 0x41)); // not masked
  await check(1002, (it) => it.raw(0xc1, 0x80, 0, 0, 0, 0)); // a reserved bit
  await check(1002, (it) => it.raw(0x80, 0x80, 0, 0, 0, 0)); // continues nothing
  await check(1003, (it) => it.socket.send(Buffer.from([1, 2, 3])));
  await check(1007, (it) => it.socket.send(Buffer.from([0x22, 0xff, 0x22]), { binary: false }));
  await check(1008, (it) => { for (let n = 0; n < 65; n += 1) it.socket.send('x', { fin: false }); });
  await check(1009, (it) => it.raw(0x81, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0)); // 1 GiB, announced only
  await check(1009, (it) => it.send(JSON.stringify('x'.repeat(65_536))));
}

async function doorsStayShut() {
  const check = async (url, status) => {
    const socket = new WebSocket(url);
    const answered = new Promise((done, fail) => {
      socket.on('unexpected-response', (_, response) => done(response.statusCode));
      socket.on('open', () => fail(new Error(`opened: ${url}`)));
      socket.on('error', () => {}); // of the abort
    });
    assert.equal(await soon(answered, 'an answer'), status, url);
    socket.terminate();
  };
  const good = await token('ada');
  await check(socketUrl('a', good.slice(0, -2)), 401);
  await check(socketUrl('a', ''), 401);
  await check(`${ready.ws}/edge/realtime?channel=a`, 401);
  await check(`${ready.ws}/edge/realtime?channel=a&key=${ready.tenants[0].application_key}`, 401);
  await check(`${ready.ws}/edge/realtime?token=${good}`, 400);
  await check(socketUrl('', good), 400);
  await check(socketUrl('x'.repeat(201), good), 400);
  await check(socketUrl('a\u0000b', good), 400);
  await check(`${ready.ws}/edge/realtime/nowhere?channel=a&token=${good}`, 404);
}

for (const scene of [
  membersSeeEachOther,
  messagesReachEveryone,
  payloadsArriveByteForByte,
  wrongFramesAreAnsweredAndTheSocketStays,
  framesComeInAnyShape,
  clientsAreSentAwayWithTheRightCode,
  doorsStayShut,
]) {
  console.log(scene.name);
  await scene();
}
process.exit(0);
