// The node is killed between two instructions, and started again where it was: clients come back by themselves, to the channels
// they were in, and what was published before is still known.
import assert from 'node:assert/strict';
import { call, enter, keys, listen, open, page, ready, server, soon, socket } from './kit.mjs';

const CHANNEL = 'again:1';
const EVENTS = ['said', 'connect', 'disconnect', 'error', 'presence:join'];

await open('again:%');
const clients = { ada: page('ada'), bob: page('bob'), anyone: page(), admin: server() };
const all = Object.values(clients);
const heard = all.map((it) => listen(it, ...EVENTS));
for (const it of all) await enter(it, CHANNEL);
// The reference client comes back too, but its user has to subscribe again.
const reference = socket({ token: keys.anon_key }, { reconnection: true });
await reference.events.value('connect');
await reference.emitWithAck('realtime:subscribe', { channel: CHANNEL });

await clients.ada.publish(CHANNEL, 'said', { n: 1 });
const ids = new Set();
for (const events of heard) ids.add((await events.skipTo('said')).meta.messageId);
process.kill(ready.pid, 'SIGKILL');
for (const events of heard) await events.skipTo('disconnect');
await reference.events.skipTo('disconnect');
// It is started again by whoever runs this.
for (const events of heard) await events.skipTo('connect');
await reference.events.skipTo('connect');
const members = async (realtime) => {
  // The answer that is awaited is that of the SDK's own subscription.
  const found = await soon(enter(realtime, CHANNEL), 'the subscription that the SDK made again');
  assert.deepEqual(realtime.getSubscribedChannels(), [CHANNEL]);
  return found;
};
for (const it of all) await members(it);
const { presence } = await reference.emitWithAck('realtime:subscribe', { channel: CHANNEL });
const there = presence.members.map((it) => it.presenceId).sort();
const expected = ['ada', 'bob', clients.anyone.socketId, clients.admin.socketId, reference.id];
assert.deepEqual(there, expected.sort(), 'each is there once');

await clients.bob.publish(CHANNEL, 'said', { n: 2 });
for (const events of heard) {
  const { n, meta } = await events.skipTo('said');
  assert.deepEqual([n, meta.senderId], [2, 'bob'], 'nothing comes twice');
  ids.add(meta.messageId);
}
assert.equal((await reference.events.skipTo('said')).n, 2);
assert.equal(ids.size, 2);
const kept = await call('GET', '/messages?limit=10');
assert.deepEqual(kept.map((it) => [it.payload.n, it.senderId]), [[2, 'bob'], [1, 'ada']]);
assert.ok(kept.every((it) => ids.has(it.id)));
process.exit(0);
