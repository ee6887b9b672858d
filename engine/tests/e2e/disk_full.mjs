// On a node whose disk is full: a socket is told what was not kept, and messages that need no disk pass.
import assert from 'node:assert/strict';
import { Client } from './client.mjs';

const client = await Client.join('d', 'ada');
let frame;
do { // a short message may still find a place
  client.send(JSON.stringify({ action: 'publish', data: 'x'.repeat(60_000) }));
  frame = await client.nextJson();
} while (!frame.error);
assert.equal(frame.error, 'Failed to persist message: storage is full');
const { echo } = await client.publish('{"action":"publish","data":"passes","persist":false}');
assert.equal(JSON.parse(echo).data, 'passes');
await client.end();
process.exit(0);
