// Two tenants on one node: the same names of channels and users, and nothing of each other. Tokens are those of the host's tenant.
import assert from 'node:assert/strict';
import { ask, call, jwt, keys, ready, socket } from './kit.mjs';

const [one, two] = ready.tenants;
const CHANNEL = 'same:1';

async function enter(auth, options) {
  const client = socket(auth, options);
  const [name, value] = await client.events.next();
  assert.equal(name, 'connect', value);
  return client;
}

async function nothingIsShared() {
  const clients = [await enter({ token: one.anon_key }), await enter({ token: two.anon_key })];
  const made = await call('POST', '/channels', { pattern: 'same:%' });
  const answers = [];
  for (const it of clients) answers.push(await ask(it, 'realtime:subscribe', { channel: CHANNEL }));
  assert.deepEqual(answers.map((it) => it.ok), [true, false], 'a pattern is of one tenant');
  await call('POST', '/channels', { pattern: 'same:%' }, two.api_key);
  const { presence } = await ask(clients[1], 'realtime:subscribe', { channel: CHANNEL });
  assert.equal(presence.members.length, 1, 'each is alone');
  for (const [n, it] of clients.entries()) {
    it.emit('realtime:publish', { channel: CHANNEL, event: 'said', payload: { n } });
    assert.equal((await it.events.value('said')).n, n, 'and hears itself alone');
  }
  await assert.rejects(call('GET', `/channels/${made.id}`, undefined, two.api_key), /404/);
  for (const it of clients) it.disconnect();
}

async function tokensAreOfTheTenantOfTheHost() {
  const connect = (secret, Host) => {
    const client = socket({ token: jwt({ sub: 'ada' }, secret) }, { extraHeaders: Host ? { Host } : {} });
    return client.events.next().then(([name, value]) => (client.disconnect(), name === 'connect' ? 'in' : value));
  };
  assert.equal(await connect(one.jwt_secret, 'one.example'), 'in');
  assert.equal(await connect(two.jwt_secret, 'two.example:8080'), 'in');
  assert.equal(await connect(one.jwt_secret, 'two.example'), 'Invalid token');
  assert.equal(await connect(two.jwt_secret, 'one.example'), 'Invalid token');
  assert.equal(await connect(one.jwt_secret, 'three.example'), 'Invalid token');
}

assert.equal(keys, one);
await nothingIsShared();
await tokensAreOfTheTenantOfTheHost();
process.exit(0);
