// Patterns and policies over REST, as they take effect: on the next thing that anybody asks for, on sockets that are open too.
import assert from 'node:assert/strict';
import { ask, call, keys, open, socket, tokenOf } from './kit.mjs';

const DENIED = 'Not authorized to subscribe to this channel';
const MUTE = { code: 'REALTIME_UNAUTHORIZED', message: 'Not authorized to publish to this channel' };

/** Several connections of each, so that every shard of the node is asked. */
async function clients(auth, count = 6) {
  const made = Array.from({ length: count }, () => socket(auth));
  for (const it of made) await it.events.value('connect');
  return made;
}

async function subscribes(sockets, channel, expected) {
  for (const it of sockets) {
    const answer = await ask(it, 'realtime:subscribe', { channel });
    if (expected) assert.equal(answer.ok, true, JSON.stringify(answer));
    else assert.deepEqual(answer, { ok: false, channel, error: { code: 'REALTIME_UNAUTHORIZED', message: DENIED } });
  }
}

let count = 0;

async function publishes(sockets, channel, expected, event = 'said') {
  for (const it of sockets) {
    const n = (count += 1);
    it.emit('realtime:publish', { channel, event, payload: { n } });
    if (!expected) assert.deepEqual(await it.events.skipTo('realtime:error'), { channel, ...MUTE });
    // It hears what the others say, too.
    else while ((await it.events.skipTo(event)).n !== n);
  }
}

const set = async (subscribe, publish = []) => {
  const rows = (list, key) => list.map(([policyName, roles, using, pattern]) => ({ policyName, roles, [key]: using, pattern }));
  await call('PUT', '/permissions', {
    subscribe: { policies: rows(subscribe, 'using') },
    publish: { policies: rows(publish, 'withCheck') },
  });
};

async function patternsOpenAndClose(ada) {
  await subscribes(ada, 'order:1', false);
  const made = await open('order:%');
  await subscribes(ada, 'order:1', true);
  await publishes(ada, 'order:1', true);
  await call('PUT', `/channels/${made.id}`, { enabled: false });
  await subscribes(ada, 'order:2', false);
  await publishes(ada, 'order:1', false);
  await call('PUT', `/channels/${made.id}`, { enabled: true });
  await publishes(ada, 'order:1', true);
  await call('PUT', `/channels/${made.id}`, { pattern: 'orders:%' });
  await subscribes(ada, 'order:2', false);
  await subscribes(ada, 'orders:2', true);
  await call('DELETE', `/channels/${made.id}`);
  await subscribes(ada, 'orders:3', false);
  await publishes(ada, 'orders:2', false);
  await open('user:*');
  await subscribes(ada, 'user:ada:inbox', true);
}

async function policiesGrantAndDeny(ada, anyone, admin) {
  await set([['own', ['authenticated'], 'split(channel, ":", 1) == sub', 'user:%']]);
  await subscribes(ada, 'user:ada', true);
  await subscribes(ada, 'user:bob', false);
  await subscribes(anyone, 'user:ada', false);
  await subscribes(admin, 'user:bob', true);
  const shown = await call('GET', '/permissions');
  const { policyName, roles, using, command } = shown.subscribe.policies[0];
  assert.deepEqual([policyName, roles, command], ['own', ['authenticated'], 'SELECT']);
  assert.equal(using, 'split(channel, ":", 1) == sub');

  // To publish was open, until somebody says who may.
  await publishes(ada, 'user:ada', true);
  await set([], [['typing', ['authenticated'], 'event == "typing"']]);
  await publishes(ada, 'user:ada', false);
  await publishes(ada, 'user:ada', true, 'typing');
  await publishes(admin, 'user:bob', true);
  await subscribes(anyone, 'user:ada', true);
  await publishes(anyone, 'user:ada', false, 'typing');
  await set([]);
  await publishes(anyone, 'user:ada', true);
  await publishes(ada, 'user:ada', true);
}

const ada = await clients({ token: tokenOf('ada') });
const anyone = await clients({ token: keys.anon_key });
const admin = await clients({ apiKey: keys.api_key }, 2);
await patternsOpenAndClose(ada);
await policiesGrantAndDeny(ada, anyone, admin);
process.exit(0);
