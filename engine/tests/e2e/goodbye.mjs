// Holds three sockets until the node stops, and expects to be told so.
import assert from 'node:assert/strict';
import { Client, ready, soon } from './client.mjs';

const clients = await Promise.all(['a', 'b', 'c'].map((user) => Client.join(`chat:${user}`, user)));
process.kill(ready.pid, 'SIGTERM');
for (const client of clients) {
  const { code, reason } = await soon(client.closed, 'a close');
  assert.equal(code, 1001);
  assert.equal(reason, 'server is shutting down');
}
process.exit(0);
