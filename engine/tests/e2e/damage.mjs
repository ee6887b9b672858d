// On a node some of whose stored messages cannot be read: their channel's listeners are closed, and everything goes on.
import assert from 'node:assert/strict';
import { Client, post, ready, soon } from './client.mjs';

const key = ready.tenants[0].application_key;

/** The ids of a channel's history. */
async function history(channel) {
  const ids = [];
  for (;;) {
    const query = `channel=${channel}&after=${ids.at(-1) ?? 0}&limit=100&key=${key}`;
    const answer = await fetch(`${ready.http}/edge/realtime/history?${query}`);
    assert.equal(answer.status, 200, await answer.clone().text());
    const { messages } = await answer.json();
    if (messages.length === 0) return ids;
    for (const { id, data } of messages) {
      assert.ok(data.startsWith(`${channel} ${id} x`) || id > 200, `${id}: ${data.slice(0, 40)}`);
      ids.push(id);
    }
  }
}

const all = Array.from({ length: 200 }, (_, index) => index + 1);
const readable = all.filter((id) => ![4, 5, 40].includes(id));
const listeners = await Promise.all(['a', 'b', 'c', 'd'].map((user) => Client.join('damaged', user)));
const bystander = await Client.join('whole', 'w');

assert.deepEqual(await history('damaged'), readable);
for (const client of listeners) {
  const { code, reason } = await soon(client.closed, 'a close');
  assert.equal(code, 1013);
  assert.equal(reason, 'read the history again');
}
assert.deepEqual(await history('whole'), all);

// They come back, read again, and are not sent away again.
const back = await Client.join('damaged', 'a');
assert.deepEqual(await history('damaged'), readable);
assert.equal((await post('/edge/realtime', { channel: 'damaged', data: 'goes on' })).id, 201);
assert.equal((await back.nextJson()).data, 'goes on');
assert.deepEqual(await history('damaged'), [...readable, 201]);

// Who listens elsewhere has heard nothing of it.
assert.equal((await post('/edge/realtime', { channel: 'whole', data: 'as ever' })).id, 201);
assert.equal((await bystander.nextJson()).data, 'as ever');
await back.end();
await bystander.end();
process.exit(0);
