// The reference client of Socket.IO over each of its transports: over polling alone, and as it does by itself, which is to begin
// with polling and to move to a WebSocket while messages come.
import assert from 'node:assert/strict';
import { ask, keys, open, soon, socket, tokenOf } from './kit.mjs';

const ANY = { token: keys.anon_key };

/** One that is in a channel. */
async function enter(channel, transports, auth = ANY) {
  const client = socket(auth, { transports });
  await client.events.value('connect');
  const { ok, presence } = await ask(client, 'realtime:subscribe', { channel });
  assert.ok(ok);
  client.members = presence.members;
  return client;
}

const say = (client, channel, n) => client.emit('realtime:publish', { channel, event: 'said', payload: { n } });

async function pollingIsAsGoodAsASocket() {
  const channel = 'way:poll';
  const ada = await enter(channel, ['polling'], { token: tokenOf('ada') });
  assert.equal(ada.io.engine.transport.name, 'polling');
  const bob = await enter(channel, ['websocket'], { token: tokenOf('bob') });
  assert.equal((await ada.events.value('presence:join')).member.presenceId, 'bob');
  assert.equal(bob.members.length, 2);
  for (const sender of [ada, bob]) {
    for (let n = 0; n < 30; n += 1) say(sender, channel, n);
    for (const receiver of [ada, bob]) {
      for (let n = 0; n < 30; n += 1) {
        const got = await receiver.events.value('said');
        assert.deepEqual([got.n, got.meta.senderId], [n, sender === ada ? 'ada' : 'bob']);
      }
    }
  }
  const long = 'x'.repeat(60_000);
  ada.emit('realtime:publish', { channel, event: 'said', payload: { long } });
  for (const it of [ada, bob]) assert.equal((await it.events.value('said')).long, long);
  ada.disconnect();
  assert.equal((await bob.events.value('presence:leave')).member.presenceId, 'ada');
  bob.disconnect();
}

async function refusalsComeOverPollingToo() {
  const client = socket({ token: 'anon_0' }, { transports: ['polling'] });
  assert.equal(await client.events.value('connect_error'), 'Invalid anon key');
  client.disconnect();
}

async function movesWhileMessagesCome() {
  const channel = 'way:move';
  const sender = await enter(channel, ['websocket']);
  for (let round = 0; round < 8; round += 1) {
    const client = socket(ANY, { transports: ['polling', 'websocket'] });
    const moved = new Promise((done) => client.io.engine.once('upgrade', (it) => done(it.name)));
    await client.events.value('connect');
    assert.ok((await ask(client, 'realtime:subscribe', { channel })).ok);
    const COUNT = 60;
    for (let n = 0; n < COUNT; n += 1) {
      say(n % 2 ? client : sender, channel, n);
      if (n % 10 === 0) await new Promise((done) => setImmediate(done));
    }
    const found = [];
    for (let n = 0; n < COUNT; n += 1) found.push((await client.events.value('said')).n);
    // Those of either sender are in order, and each is there once.
    const odd = (it) => it % 2 === 1;
    const expected = Array.from({ length: COUNT }, (_, n) => n);
    assert.deepEqual(found.filter(odd), expected.filter(odd));
    assert.deepEqual(found.filter((it) => !odd(it)), expected.filter((it) => !odd(it)));
    assert.equal(await soon(moved, 'the other transport'), 'websocket');
    say(sender, channel, 'after');
    assert.equal((await client.events.value('said')).n, 'after');
    client.disconnect();
  }
  sender.disconnect();
}

await open('way:%');
await pollingIsAsGoodAsASocket();
await refusalsComeOverPollingToo();
await movesWhileMessagesCome();
process.exit(0);
