// The reference client of Socket.IO: which credentials open, what the others are told, and what else is at the door.
import assert from 'node:assert/strict';
import { Frames, jwt, keys, page, ready, socket, tokenOf } from './kit.mjs';

const wrong = (key) => key.slice(0, -1) + (key.endsWith('0') ? '1' : '0');
const broken = tokenOf('ada').replace(/.$/, (it) => (it === 'A' ? 'Q' : 'A'));
const unsigned = [{ alg: 'none' }, { sub: 'ada' }].map((it) => Buffer.from(JSON.stringify(it)).toString('base64url'));

const WELCOME = [
  { token: keys.anon_key },
  { token: keys.api_key },
  { apiKey: keys.api_key },
  { token: tokenOf('ada') },
  { token: jwt({ sub: 'no role', exp: undefined }) },
  { token: tokenOf('an administrator', { role: 'project_admin' }) },
];

const REFUSED = [
  [undefined, 'No authentication provided'],
  [{}, 'No authentication provided'],
  [{ token: null }, 'No authentication provided'],
  [{ apiKey: wrong(keys.api_key) }, 'Invalid API key'],
  [{ apiKey: keys.anon_key }, 'Invalid API key'],
  [{ apiKey: wrong(keys.api_key), token: keys.anon_key }, 'Invalid API key'],
  [{ token: wrong(keys.api_key) }, 'Invalid API key'],
  [{ token: wrong(keys.anon_key) }, 'Invalid anon key'],
  [{ token: 'anon_' }, 'Invalid anon key'],
  [{ token: 'nonsense' }, 'Invalid token'],
  [{ token: broken }, 'Invalid token'],
  [{ token: `${unsigned.join('.')}.` }, 'Invalid token'],
  [{ token: jwt({ sub: 'ada' }, 'a secret that is not the right one') }, 'Invalid token'],
  [{ token: tokenOf('ada', { exp: 1_700_000_000 }) }, 'Invalid token'],
  [{ token: tokenOf('ada', { role: 'king' }) }, 'Invalid token'],
  [{ token: jwt({ role: 'authenticated' }) }, 'Invalid token subject'],
  [{ token: tokenOf('anonymous') }, 'Invalid token subject'],
];

async function credentialsOpenOrSayWhyNot() {
  for (const auth of WELCOME) {
    const client = socket(auth);
    assert.match(await client.events.value('connect'), /^[\w-]{20}$/);
    assert.notEqual(client.id, client.io.engine.id, 'a socket and its session have ids of their own');
    client.disconnect();
  }
  for (const [auth, why] of REFUSED) {
    const client = socket(auth);
    assert.equal(await client.events.value('connect_error'), why, JSON.stringify(auth));
    client.disconnect();
  }
}

async function otherNamespacesAreNotThere() {
  const client = socket({ token: keys.anon_key });
  await client.events.value('connect');
  const other = client.io.socket('/admin');
  const why = await new Promise((done) => other.on('connect_error', done));
  assert.equal(why.message, 'Invalid namespace');
  assert.ok(client.connected);
  client.disconnect();
}

async function theSdkSaysWhyItGotNoFurther() {
  const client = page();
  client.anonKey = wrong(keys.anon_key);
  await assert.rejects(client.connect(), { message: 'Invalid anon key' });
  const refused = await client.subscribe('chat:1');
  assert.deepEqual(refused.error, { code: 'CONNECTION_FAILED', message: 'Invalid anon key' });
}

/** The frames as they are, which the reference server was seen to send. */
async function theFramesAreThoseOfTheReference() {
  const client = Frames.socketIo();
  const opened = await client.next();
  assert.equal(opened[0], '0');
  const { sid, ...rest } = JSON.parse(opened.slice(1));
  assert.match(sid, /^[\w-]{20}$/);
  const heartbeat = { pingInterval: 25000, pingTimeout: 20000, maxPayload: 1000000 };
  assert.equal(JSON.stringify(rest), JSON.stringify({ upgrades: [], ...heartbeat }));
  client.send('40{"token":"no"}');
  assert.equal(await client.next(), '44{"message":"Invalid token"}');
  client.send(`40{"token":"${keys.anon_key}"}`);
  assert.match(await client.next(), /^40\{"sid":"[\w-]{20}"\}$/);
  client.send('420["realtime:subscribe",{"channel":"no:1"}]');
  const refused = { code: 'REALTIME_UNAUTHORIZED', message: 'Not authorized to subscribe to this channel' };
  assert.equal(await client.next(), `430${JSON.stringify([{ ok: false, channel: 'no:1', error: refused }])}`);
  client.send('42["realtime:publish",{"channel":"no:1","event":"e","payload":{}}]');
  const first = 'Must subscribe to channel before publishing messages';
  const error = { channel: 'no:1', code: 'REALTIME_NOT_SUBSCRIBED', message: first };
  assert.equal(await client.next(), `42${JSON.stringify(['realtime:error', error])}`);
  client.send('421["realtime:subscribe",{}]');
  const answer = await client.next();
  assert.ok(answer.startsWith('431[{"ok":false,"channel":"","error":{"code":"INVALID_INPUT",'), answer);
  client.send('3');
  client.send('41');
  client.send('40{}');
  assert.equal(await client.next(), '44{"message":"No authentication provided"}');
  await client.end();
}

async function otherVersionsAndTransportsAreRefused() {
  const check = async (query, code, message) => {
    const answer = await fetch(`${ready.http}/socket.io/${query}`);
    assert.deepEqual([answer.status, await answer.json()], [400, { code, message }]);
  };
  await check('?EIO=3&transport=polling', 5, 'Unsupported protocol version');
  await check('?EIO=4&transport=websocket', 3, 'Bad request');
  await check('?EIO=4&transport=carrier', 0, 'Transport unknown');
  await check('?EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAAAAAA', 1, 'Session ID unknown');
}

await credentialsOpenOrSayWhyNot();
await otherNamespacesAreNotThere();
await theSdkSaysWhyItGotNoFurther();
await theFramesAreThoseOfTheReference();
await otherVersionsAndTransportsAreRefused();
process.exit(0);
