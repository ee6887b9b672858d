// A tenant's channels are the same in every dialect: what one publishes the others get, each in its own shape.
import assert from 'node:assert/strict';
import { Client, post } from '../client.mjs';
import { Frames, checkMeta, enter, keys, listen, open, page } from './kit.mjs';

const CHANNEL = 'meet:1';
/** The next message; who comes and goes is not looked at. */
async function message(plain) {
  for (;;) {
    const frame = await plain.nextJson();
    if (frame.type !== 'presence') return frame;
  }
}

const meta = (more) => ({ channel: `realtime:${CHANNEL}`, ...more });

async function cohesivityReachesInsforge(sdk, heard, plain) {
  const made = await post('/edge/realtime', { channel: CHANNEL, event: 'deployed', data: { build: 7 } });
  const { meta: found, ...payload } = await heard.value('deployed');
  assert.deepEqual(payload, { build: 7 });
  checkMeta(found, meta({ senderType: 'system' }));
  const { messageId, timestamp, ...message } = await plain.nextJson();
  assert.deepEqual(message, { type: 'message', channel: CHANNEL, event: 'deployed', payload: { build: 7 } });
  assert.deepEqual([messageId, timestamp], [found.messageId, found.timestamp]);
  assert.equal(Date.parse(timestamp), made.created_at_ms);
  // What is no object stands where one can be found.
  for (const data of [[1, 2], 'text', 0.5, null, true]) {
    await post('/edge/realtime', { channel: CHANNEL, event: 'value', data });
    assert.deepEqual((await heard.value('value')).data, data);
    assert.deepEqual((await plain.nextJson()).payload, data);
  }
  // An event whose name the SDK would take for the server's own.
  await post('/edge/realtime', { channel: CHANNEL, event: 'disconnect', data: { n: 1 } });
  assert.equal((await heard.value('message')).n, 1);
  assert.equal((await plain.nextJson()).event, 'disconnect');
  assert.ok(sdk.isConnected);
}

async function insforgeReachesCohesivity(sdk, heard, plain, edge) {
  await sdk.publish(CHANNEL, 'said', { text: 'by the SDK' });
  const got = await edge.nextJson();
  assert.deepEqual([got.action, got.event, got.data], ['said', 'said', { text: 'by the SDK' }]);
  assert.ok(Number.isInteger(got.id), 'it is kept');
  assert.equal((await heard.value('said')).meta.senderId, 'ada');
  assert.equal((await message(plain)).senderId, 'ada');
  const payload = '{ "n":12345678901234567890,"f":1e400, "t":"\\u00e9"}';
  plain.send(`{"type":"publish","channel":"${CHANNEL}","event":"exact","payload":${payload}}`);
  assert.ok((await edge.next()).includes(`"data":${payload}`), 'byte for byte');
  const frames = [await plain.next(), await plain.next()];
  assert.ok(frames.some((it) => it.includes(`"payload":${payload}`)), frames.join('\n'));
  assert.ok(frames.some((it) => it.startsWith('{"type":"published"')), frames.join('\n'));
  await heard.value('exact');
}

/** The next member that comes or goes, which has this id. */
async function seen(events, name, id) {
  const { member } = await events.value(name);
  assert.deepEqual([member.type, member.presenceId], ['user', id]);
}

async function membersOfAllDialectsAreThere(events, heard) {
  const edge = await Client.join(CHANNEL, 'bob', 'Bob');
  assert.ok(edge.presence.some((it) => it.id === 'ada'), JSON.stringify(edge.presence));
  await seen(events, 'presence:join', 'bob');
  edge.send({ action: 'publish', event: 'hello', data: {} });
  checkMeta((await heard.value('hello')).meta, meta({ senderType: 'user', senderId: 'bob' }));
  await edge.end();
  await seen(events, 'presence:leave', 'bob');
}

await open('meet:%');
const sdk = page('ada');
const heard = listen(sdk, 'deployed', 'value', 'message', 'said', 'exact', 'hello');
await enter(sdk, CHANNEL);
const plain = await Frames.known(keys.anon_key);
assert.equal((await plain.ask({ type: 'subscribe', channel: CHANNEL })).type, 'subscribed');
await cohesivityReachesInsforge(sdk, heard, plain);
const events = listen(sdk, 'presence:join', 'presence:leave');
const edge = await Client.join(CHANNEL, 'eve', 'Eve');
await seen(events, 'presence:join', 'eve');
await insforgeReachesCohesivity(sdk, heard, plain, edge);
await edge.end();
await seen(events, 'presence:leave', 'eve');
await membersOfAllDialectsAreThere(events, heard);
process.exit(0);
