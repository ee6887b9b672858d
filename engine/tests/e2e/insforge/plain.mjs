// The WebSocket of the documents, at /realtime, by node's `ws`.
import assert from 'node:assert/strict';
import { Frames, TIME, UUID, call, keys, open, tokenOf } from './kit.mjs';

const error = (message) => ({ type: 'error', message });
const NOT_FOUND = error('Channel not found or not accessible');

async function firstOneSaysWhoOneIs() {
  const client = Frames.plain();
  await client.opened;
  for (const frame of [{ type: 'subscribe', channel: 'db:a' }, { type: 'publish', channel: 'db:a', event: 'e', payload: {} }]) {
    assert.deepEqual(await client.ask(frame), error('Not authenticated'));
  }
  assert.deepEqual(await client.ask('{half'), error('Invalid JSON'));
  for (const [token, message] of [
    ['nonsense', 'Invalid token'],
    [tokenOf('ada', { exp: 1_700_000_000 }), 'Invalid token'],
    ['anon_0', 'Invalid anon key'],
    ['ik_0', 'Invalid API key'],
  ]) {
    assert.deepEqual(await client.ask({ type: 'auth', token }), error(message));
  }
  for (const [token, userId] of [
    [keys.anon_key, 'anonymous'],
    [keys.api_key, 'api-key'],
    [tokenOf('ada'), 'ada'],
  ]) {
    assert.deepEqual(await client.ask({ type: 'auth', token }), { type: 'auth_success', userId });
  }
  assert.deepEqual(await client.ask({ type: 'ping' }), { type: 'pong' });
  assert.deepEqual(await client.ask('{half'), error('Invalid JSON'));
  assert.deepEqual(await client.ask({ type: 'dance' }), error('Unknown message type: "dance"'));
  assert.deepEqual(await client.ask({ type: 'subscribe', channel: 'elsewhere' }), NOT_FOUND);
  await client.end();
}

async function messagesComeAsTheyAreDescribed() {
  const [ada, anyone] = [await Frames.known(tokenOf('ada')), await Frames.known(keys.anon_key)];
  const channel = 'db:talk';
  const ids = [];
  for (const it of [ada, anyone]) {
    const { subscriptionId, ...answer } = await it.ask({ type: 'subscribe', channel });
    assert.deepEqual(answer, { type: 'subscribed', channel });
    ids.push(subscriptionId);
  }
  assert.ok(ids.every((it) => typeof it === 'string' && it.length > 0));
  const payload = { text: 'söme ☃ text', list: [1, null] };
  ada.send({ type: 'publish', channel, event: 'said', payload });
  const both = [await ada.nextJson(), await ada.nextJson()];
  const message = both.find((it) => it.type === 'message');
  const published = both.find((it) => it.type === 'published');
  assert.deepEqual(published, { type: 'published', messageId: message.messageId, channel, event: 'said' });
  const { messageId, timestamp, ...rest } = message;
  assert.match(messageId, UUID);
  assert.match(timestamp, TIME);
  assert.deepEqual(rest, { type: 'message', channel, event: 'said', payload, senderId: 'ada' });
  assert.deepEqual(await anyone.nextJson(), message);

  assert.deepEqual(await anyone.ask({ type: 'unsubscribe', channel }), { type: 'unsubscribed', channel });
  ada.send({ type: 'publish', channel, event: 'said', payload: {} });
  await ada.nextJson();
  await ada.nextJson();
  // Whoever hears nothing of a channel may publish to it.
  const answer = await anyone.ask({ type: 'publish', channel, event: 'said', payload: { n: 3 } });
  assert.equal(answer.type, 'published', 'nothing came of what it left');
  assert.equal((await ada.nextJson()).payload.n, 3);
  const denied = error('Not authorized to publish to this channel');
  assert.deepEqual(await anyone.ask({ type: 'publish', channel: 'elsewhere', event: 'e', payload: {} }), denied);
  for (const it of [ada, anyone]) await it.end();
}

async function filtersKeepBackWhatTheyDoNotName() {
  const channel = 'db:orders';
  const [ada, sender] = [await Frames.known(tokenOf('ada')), await Frames.known(keys.api_key)];
  const check = async (filter, passing) => {
    assert.equal((await ada.ask({ type: 'subscribe', channel, filter })).type, 'subscribed');
    const cases = [
      ['INSERT', 'public'],
      ['UPDATE', 'public'],
      ['INSERT', 'audit'],
      ['INSERT', undefined],
    ];
    for (const [event, schema] of cases) {
      const answer = await sender.ask({ type: 'publish', channel, event, payload: { schema, id: 7 } });
      assert.equal(answer.type, 'published');
    }
    for (const index of passing) {
      const { event, payload } = await ada.nextJson();
      assert.deepEqual([event, payload.schema], cases[index]);
    }
    assert.deepEqual(await ada.ask({ type: 'ping' }), { type: 'pong' }, 'and no more');
    assert.equal((await ada.ask({ type: 'unsubscribe', channel })).type, 'unsubscribed');
  };
  await check(undefined, [0, 1, 2, 3]);
  await check({ event: '*' }, [0, 1, 2, 3]);
  await check({ event: 'INSERT' }, [0, 2, 3]);
  await check({ event: '*', schema: 'public' }, [0, 1]);
  await check({ event: 'INSERT', schema: 'audit' }, [2]);
  await check({ event: 'DELETE' }, []);
  for (const it of [ada, sender]) await it.end();
}

async function policiesHoldHereToo() {
  const [ada, anyone] = [await Frames.known(tokenOf('ada')), await Frames.known(keys.anon_key)];
  const only = { policyName: 'users', roles: ['authenticated'] };
  await call('PUT', '/permissions', {
    subscribe: { policies: [{ ...only, using: 'true' }] },
    publish: { policies: [{ ...only, withCheck: 'event != "secret"' }] },
  });
  assert.deepEqual(await anyone.ask({ type: 'subscribe', channel: 'db:p' }), NOT_FOUND);
  assert.equal((await ada.ask({ type: 'subscribe', channel: 'db:p' })).type, 'subscribed');
  const denied = error('Not authorized to publish to this channel');
  assert.deepEqual(await anyone.ask({ type: 'publish', channel: 'db:p', event: 'e', payload: {} }), denied);
  assert.deepEqual(await ada.ask({ type: 'publish', channel: 'db:p', event: 'secret', payload: {} }), denied);
  await call('PUT', '/permissions', {});
  assert.equal((await anyone.ask({ type: 'subscribe', channel: 'db:p' })).type, 'subscribed');
  for (const it of [ada, anyone]) await it.end();
}

await open('db:%');
await firstOneSaysWhoOneIs();
await messagesComeAsTheyAreDescribed();
await filtersKeepBackWhatTheyDoNotName();
await policiesHoldHereToo();
process.exit(0);
