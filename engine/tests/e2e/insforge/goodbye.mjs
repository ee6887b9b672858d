// The node is asked to stop: clients are told so before they lose it.
import assert from 'node:assert/strict';
import { Frames, TIME, UUID, enter, keys, listen, open, page, ready, soon, socket } from './kit.mjs';

await open('bye:%');
const sdk = page('ada');
const heard = listen(sdk, 'notification', 'disconnect');
await enter(sdk, 'bye:1');
const raw = socket({ token: keys.anon_key });
await raw.events.value('connect');
const plain = await Frames.known(keys.anon_key);
process.kill(ready.pid, 'SIGTERM');
for (const events of [heard, raw.events]) {
  const { meta, ...said } = await events.value('notification');
  assert.deepEqual(said, { level: 'warning', title: 'Server Shutdown', message: 'Server is shutting down' });
  const { messageId, timestamp, ...rest } = meta;
  assert.match(messageId, UUID);
  assert.match(timestamp, TIME);
  assert.equal(rest.senderType, 'system');
  await events.value('disconnect');
}
assert.equal((await soon(plain.closed, 'a close')).code, 1001);
process.exit(0);
