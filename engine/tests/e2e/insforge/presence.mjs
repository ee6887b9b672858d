// Who is there: one member for each user, however many sockets; one for each socket of the others; told to the others alone.
import assert from 'node:assert/strict';
import { ask, checkMeta, enter, keys, listen, open, page, server, socket, tokenOf } from './kit.mjs';

const CHANNEL = 'room:1';
const EVENTS = ['presence:join', 'presence:leave', 'said'];
const ids = (members) => members.map((it) => it.presenceId).sort();

async function usersAreCountedOnce() {
  const [ada, bob] = [page('ada'), page('bob')];
  const heard = listen(ada, ...EVENTS);
  const [first] = await enter(ada, CHANNEL);
  assert.deepEqual(ids(await enter(bob, CHANNEL)), ['ada', 'bob']);
  const { member, meta } = await heard.value('presence:join');
  const { joinedAt, ...shown } = member;
  assert.deepEqual(shown, { type: 'user', presenceId: 'bob' });
  checkMeta(meta, { channel: CHANNEL, senderType: 'system' });
  assert.deepEqual(ids(ada.getPresenceState(CHANNEL)), ['ada', 'bob'], 'the roster of the SDK follows');

  // A second socket of the same user is nobody new, and neither is the end of one of two.
  const second = page('bob');
  const seen = await enter(second, CHANNEL);
  assert.deepEqual(ids(seen), ['ada', 'bob']);
  assert.equal(seen.find((it) => it.presenceId === 'bob').joinedAt, joinedAt, 'the time is that of the first');
  assert.deepEqual(seen.find((it) => it.presenceId === 'ada'), first);
  bob.disconnect();
  await second.publish(CHANNEL, 'said', {});
  await heard.value('said');
  // The server learns of the first one's end in its own time; whoever comes again is still the same member.
  await enter(bob, CHANNEL);
  second.disconnect();
  bob.unsubscribe(CHANNEL);
  const left = await heard.value('presence:leave');
  assert.deepEqual(left.member, member);
  checkMeta(left.meta, { channel: CHANNEL, senderType: 'system' });
  assert.deepEqual(ids(ada.getPresenceState(CHANNEL)), ['ada']);
  for (const it of [ada, bob]) it.disconnect();
}

async function othersAreCountedBySocket() {
  const channel = 'room:2';
  const [one, other, admin] = [page(), page(), server()];
  const heard = listen(one, ...EVENTS);
  await enter(one, channel);
  await enter(other, channel);
  await enter(admin, channel);
  for (const expected of [other, admin]) {
    const { member } = await heard.value('presence:join');
    assert.deepEqual([member.type, member.presenceId], ['anonymous', expected.socketId]);
  }
  const gone = other.socketId;
  other.disconnect();
  assert.equal((await heard.value('presence:leave')).member.presenceId, gone);
  for (const it of [one, admin]) it.disconnect();
}

async function nobodyHearsOfThemselves() {
  const channel = 'room:3';
  const clients = ['ada', 'bob'].map((sub) => socket({ token: tokenOf(sub) }));
  const [ada, bob] = clients;
  for (const it of clients) await it.events.value('connect');
  await ask(ada, 'realtime:subscribe', { channel });
  const again = await ask(ada, 'realtime:subscribe', { channel });
  assert.deepEqual([again.ok, ids(again.presence.members)], [true, ['ada']], 'to subscribe twice is to do it once');
  await ask(bob, 'realtime:subscribe', { channel });
  bob.emit('realtime:unsubscribe', { channel });
  await ask(bob, 'realtime:subscribe', { channel });
  bob.emit('realtime:publish', { channel, event: 'said', payload: {} });
  assert.deepEqual((await bob.events.next())[0], 'said', 'it came and went, and heard nothing of it');
  for (const name of ['join', 'leave', 'join']) {
    assert.equal((await ada.events.value(`presence:${name}`)).member.presenceId, 'bob');
  }
  assert.equal((await ada.events.next())[0], 'said');
  for (const it of clients) it.disconnect();
}

async function oneSocketIsInManyChannels() {
  const one = socket({ token: keys.anon_key });
  await one.events.value('connect');
  const channels = Array.from({ length: 40 }, (_, n) => `room:many:${n}`);
  const answers = await Promise.all(channels.map((channel) => ask(one, 'realtime:subscribe', { channel })));
  assert.deepEqual(answers.map((it) => it.channel), channels);
  assert.ok(answers.every((it) => it.ok && it.presence.members.length === 1));
  for (const channel of channels) one.emit('realtime:publish', { channel, event: 'said', payload: { channel } });
  const said = await Promise.all(channels.map(() => one.events.value('said')));
  assert.deepEqual(said.map((it) => it.channel).sort(), [...channels].sort());
  assert.ok(said.every((it) => it.meta.channel === `realtime:${it.channel}`));
  one.disconnect();
}

await open('room:%');
await usersAreCountedOnce();
await othersAreCountedBySocket();
await nobodyHearsOfThemselves();
await oneSocketIsInManyChannels();
process.exit(0);
