// Whoever does not say who it is in time is sent away, on either wire. Whoever did so stays.
import assert from 'node:assert/strict';
import { Frames, keys, soon, tokenOf } from './kit.mjs';

const known = await Frames.known(keys.anon_key);
const inside = Frames.socketIo();
assert.ok((await inside.next()).startsWith('0{'));
inside.send(`40{"token":"${tokenOf('ada')}"}`);
assert.ok((await inside.next()).startsWith('40{'));

const silent = Frames.plain();
const wrong = Frames.plain();
await wrong.opened;
assert.deepEqual(await wrong.ask({ type: 'auth', token: 'no' }), { type: 'error', message: 'Invalid token' });
const outside = Frames.socketIo();
assert.ok((await outside.next()).startsWith('0{'));
for (const it of [silent, wrong]) assert.equal((await soon(it.closed, 'a close')).code, 4401);
await soon(outside.closed, 'the end of a session of Socket.IO');

assert.deepEqual(await known.ask({ type: 'ping' }), { type: 'pong' });
inside.send('420["realtime:subscribe",{"channel":"nowhere"}]');
assert.ok((await inside.next()).startsWith('430['));
process.exit(0);
