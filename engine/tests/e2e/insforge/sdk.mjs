// The SDK of InsForge: how one comes in, what the members see of each other, what a message holds, and what is refused.
import assert from 'node:assert/strict';
import { TIME, checkMeta, enter, listen, open, page, server } from './kit.mjs';

async function everyoneGetsIn() {
  let count = 0;
  for (const [realtime, type, id] of [
    [page(), 'anonymous'],
    [page('ada'), 'user', 'ada'],
    [server(), 'anonymous'],
  ]) {
    const [member, ...others] = await enter(realtime, `chat:in:${count++}`);
    const { joinedAt, ...shown } = member;
    assert.deepEqual([shown, others], [{ type, presenceId: id ?? realtime.socketId }, []]);
    assert.match(joinedAt, TIME);
    assert.match(realtime.socketId, /^[\w-]{20}$/);
    realtime.disconnect();
  }
}

async function messagesReachEveryoneAndTheirSender() {
  const channel = 'chat:talk';
  const [ada, anyone, admin] = [page('ada'), page(), server()];
  const all = [ada, anyone, admin];
  const heard = all.map((it) => listen(it, 'said'));
  for (const it of all) await enter(it, channel);
  for (const [sender, meta] of [
    [ada, { senderType: 'user', senderId: 'ada' }],
    [anyone, { senderType: 'user' }],
    [admin, { senderType: 'system' }],
  ]) {
    const payload = { text: 'söme ☃ text', list: [1, null, { a: 'b' }], meta: 'of the sender' };
    await sender.publish(channel, 'said', payload);
    const ids = [];
    for (const events of heard) {
      const message = await events.value('said');
      assert.deepEqual({ ...message, meta: payload.meta }, payload);
      checkMeta(message.meta, { channel: `realtime:${channel}`, ...meta });
      ids.push(message.meta.messageId);
    }
    assert.equal(new Set(ids).size, 1, 'it is one message');
  }
  for (let n = 0; n < 50; n += 1) ada.publish(channel, 'said', { n });
  for (const events of heard) {
    for (let n = 0; n < 50; n += 1) assert.equal((await events.value('said')).n, n, 'in order');
  }
  for (const it of all) it.disconnect();
}

async function whatIsRefusedIsSaid() {
  const anyone = page();
  const heard = listen(anyone, 'error', 'said', 'presence:join');
  const channel = 'nowhere:1';
  assert.deepEqual(await anyone.subscribe(channel), {
    ok: false,
    channel,
    error: { code: 'REALTIME_UNAUTHORIZED', message: 'Not authorized to subscribe to this channel' },
  });
  await anyone.publish('chat:not-in', 'said', {});
  assert.deepEqual(await heard.value('error'), {
    channel: 'chat:not-in',
    code: 'REALTIME_NOT_SUBSCRIBED',
    message: 'Must subscribe to channel before publishing messages',
  });
  await enter(anyone, 'chat:refused');
  for (const event of ['presence:join', 'realtime:error']) {
    await anyone.publish('chat:refused', event, {});
    const { channel: of, code } = await heard.value('error');
    assert.deepEqual([of, code], ['chat:refused', 'INVALID_INPUT']);
  }
  anyone.disconnect();
}

async function whoLeavesHearsNothing() {
  const channel = 'chat:leave';
  const [ada, bob] = [page('ada'), page('bob')];
  const heard = listen(ada, 'said');
  const left = listen(bob, 'presence:leave', 'said');
  await enter(bob, channel);
  await enter(ada, channel);
  await enter(ada, 'chat:stay');
  await enter(bob, 'chat:stay');
  ada.unsubscribe(channel);
  const { member, meta } = await left.value('presence:leave');
  assert.equal(member.presenceId, 'ada');
  checkMeta(meta, { channel, senderType: 'system' });
  await bob.publish(channel, 'said', { n: 1 });
  assert.equal((await left.value('said')).n, 1);
  await bob.publish('chat:stay', 'said', { n: 2 });
  assert.equal((await heard.value('said')).n, 2, 'nothing came of the channel that it left');
  assert.deepEqual(ada.getSubscribedChannels(), ['chat:stay']);
  await enter(ada, channel);
  await bob.publish(channel, 'said', { n: 3 });
  assert.equal((await heard.value('said')).n, 3);
  for (const it of [ada, bob]) it.disconnect();
}

await open('chat:%');
await everyoneGetsIn();
await messagesReachEveryoneAndTheirSender();
await whatIsRefusedIsSaid();
await whoLeavesHearsNothing();
process.exit(0);
