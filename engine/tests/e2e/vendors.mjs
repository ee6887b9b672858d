// The official SDKs of Pusher and Ably judge what was signed for them (E2E_GIVEN): by this project's code at a given time, or
// by a running node just now. No network is used.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import Ably from 'ably';
import Pusher from 'pusher';
import PusherClient from 'pusher-js';

const given = JSON.parse(process.env.E2E_GIVEN);
if (given.now_ms) Date.now = () => given.now_ms; // the SDKs sign with the time

function pusher() {
  const { key, secret, master_key } = given.pusher;
  return new Pusher({ appId: '3', key, secret, encryptionMasterKeyBase64: master_key });
}

function pusherSignsTheSame() {
  const sdk = pusher();
  assert.ok(given.pusher.asks.length >= 12);
  for (const { socket_id, channel, data, answer } of given.pusher.asks) {
    const theirs = channel
      ? sdk.authorizeChannel(socket_id, channel, data ? JSON.parse(data) : undefined)
      : sdk.authenticateUser(socket_id, JSON.parse(data));
    const { vendor, token, ...rest } = answer;
    assert.deepEqual({ auth: token, ...rest }, { ...theirs }, `${socket_id} ${channel} ${data}`);
    assert.equal(vendor, 'pusher');
  }
}

function pusherCallsAndWebhooks() {
  const sdk = pusher();
  for (const { query, ...request } of given.pusher.rest) {
    assert.equal(query, sdk.createSignedQueryString(request));
  }
  const { body, signature } = given.pusher.webhook;
  const headers = { 'x-pusher-key': given.pusher.key, 'x-pusher-signature': signature, 'content-type': 'application/json' };
  assert.equal(sdk.webhook({ headers, rawBody: body }).isValid(), true);
  assert.equal(sdk.webhook({ headers, rawBody: `${body} ` }).isValid(), false);
}

/** What the server's SDK sends for an event of an encrypted channel. */
function theirEvent(name, plaintext) {
  const sdk = pusher();
  let sent;
  sdk.post = ({ body }) => ((sent = body), Promise.resolve());
  sdk.trigger(name, 'news', JSON.parse(plaintext));
  return sent.data;
}

async function pusherClientsReadEncryptedEvents() {
  const name = 'private-encrypted-room';
  const plaintext = given.pusher.event?.plaintext ?? '{"text":"secret ✓"}';
  const signed = given.pusher.asks.find((it) => it.channel === name).answer;
  const data = given.pusher.event?.data ?? theirEvent(name, plaintext);
  const customHandler = (_, callback) => callback(null, { auth: signed.token, shared_secret: signed.shared_secret });
  const client = new PusherClient(given.pusher.key, { cluster: 'x', channelAuthorization: { customHandler } });
  client.disconnect();
  const channel = client.subscribe(name);
  await new Promise((resolve, reject) => {
    channel.authorize('1.2', (error, auth) => (error ? reject(error) : resolve(auth)));
  });
  const read = new Promise((resolve) => channel.bind('news', resolve));
  channel.handleEvent({ event: 'news', channel: name, data: JSON.parse(data) });
  assert.deepEqual(await read, JSON.parse(plaintext));
}

async function ablySignsTheSame() {
  const [name, secret] = given.ably.key.split(':');
  const sdk = new Ably.Rest({ key: given.ably.key });
  assert.ok(given.ably.answers.length >= 5);
  for (const { vendor, token, token_request: ours } of given.ably.answers) {
    assert.equal(vendor, 'ably');
    const { ttl, capability, clientId, timestamp, nonce } = ours;
    const theirs = await sdk.auth.createTokenRequest({ ttl, capability, clientId, timestamp, nonce });
    assert.deepEqual(ours, { ...theirs });

    const [header, claims, signature] = token.split('.');
    const read = (part) => JSON.parse(Buffer.from(part, 'base64url'));
    assert.deepEqual(read(header), { typ: 'JWT', alg: 'HS256', kid: name });
    assert.ok(Math.abs(timestamp - Date.now()) < 60_000, `${timestamp} is not now`);
    const iat = Math.floor(timestamp / 1000);
    const expected = { iat, exp: iat + ttl / 1000, 'x-ably-capability': capability, 'x-ably-clientId': clientId };
    assert.deepEqual(read(claims), expected);
    assert.equal(signature, createHmac('sha256', secret).update(`${header}.${claims}`).digest('base64url'));
  }
}

pusherSignsTheSame();
if (given.pusher.rest) pusherCallsAndWebhooks();
await pusherClientsReadEncryptedEvents();
await ablySignsTheSame();
process.exit(0); // a client of pusher-js keeps its timers
