// The server behind the page. It does what needs a secret: it gives users their tokens, makes the channels, reads the history,
// and receives webhooks. Messages do not go through it.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { build } from 'esbuild';

const TOKEN_LIFE_S = 900;
const PATTERN = 'chat:%';
const WEBHOOK_SECRET = process.env.WEBHOOK_SECRET ?? '';

// What `stentor serve --ready-file ready.json --print-secrets` wrote.
const ready = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const { api_key, jwt_secret } = ready.tenants[0];

const sign = (text, secret) => createHmac('sha256', secret).update(text).digest();
const isSame = (one, other) => one.length === other.length && timingSafeEqual(one, other);

/** A token that says who somebody is. Here anyone may be anyone: a real server asks for a password first. */
function makeToken(sub) {
  const now = Math.floor(Date.now() / 1000);
  const parts = [{ alg: 'HS256', typ: 'JWT' }, { sub, role: 'authenticated', iat: now, exp: now + TOKEN_LIFE_S }];
  const text = parts.map((it) => Buffer.from(JSON.stringify(it)).toString('base64url')).join('.');
  return `${text}.${sign(text, jwt_secret).toString('base64url')}`;
}

function isUser(request) {
  const [, text, mark] = /^Bearer (.+)\.([^.]+)$/.exec(request.headers.authorization ?? '') ?? [];
  if (!text || !isSame(Buffer.from(mark, 'base64url'), sign(text, jwt_secret))) return false;
  const claims = JSON.parse(Buffer.from(text.split('.')[1], 'base64url'));
  return claims.exp > Date.now() / 1000;
}

/** Calls the realtime server as its administrator. */
async function call(method, path, body) {
  const headers = { Authorization: `Bearer ${api_key}`, 'Content-Type': 'application/json' };
  const answer = await fetch(`${ready.http}/api/realtime${path}`, { method, headers, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

/** Makes sure that the channels are there, and that their messages are told to this server. */
async function openChannels(webhookUrl) {
  const known = (await call('GET', '/channels')).find((it) => it.pattern === PATTERN);
  const wanted = { pattern: PATTERN, webhookUrls: [webhookUrl], enabled: true };
  return known ? call('PUT', `/channels/${known.id}`, wanted) : call('POST', '/channels', wanted);
}

/** The last messages of a channel, oldest first, as the SDK shows those that come live. */
async function history(channel) {
  const rows = await call('GET', `/messages?channelId=${opened.id}&eventName=said&limit=1000`);
  return rows
    .filter((it) => it.channelName === channel)
    .slice(0, 100)
    .reverse()
    .map(({ id, payload, senderId, createdAt }) => ({
      ...payload,
      meta: { messageId: id, senderId, timestamp: createdAt },
    }));
}

/** What the webhook brought. It may bring a message twice; its id says so. */
const archive = new Map();

function receive(request, body) {
  if (WEBHOOK_SECRET) {
    const mark = `sha256=${sign(body, WEBHOOK_SECRET).toString('hex')}`;
    if (!isSame(Buffer.from(request.headers['x-insforge-signature'] ?? ''), Buffer.from(mark))) return 401;
  }
  const message = JSON.parse(body);
  archive.set(message.messageId, message);
  return 204;
}

const page = readFileSync(new URL('page/index.html', import.meta.url));
const [script] = (
  await build({
    entryPoints: [new URL('page/chat.js', import.meta.url).pathname],
    bundle: true,
    format: 'esm',
    minify: true,
    write: false,
    // For runtimes that have no cryptography of their own: browsers do.
    external: ['crypto'],
  })
).outputFiles;

async function answer(request, body) {
  const { pathname, searchParams } = new URL(request.url, 'http://here');
  switch (`${request.method} ${pathname}`) {
    case 'GET /':
      return [200, 'text/html', page];
    case 'GET /chat.js':
      return [200, 'text/javascript', script.contents];
    case 'POST /session':
      return [200, 'application/json', JSON.stringify({ url: ready.http, token: makeToken(JSON.parse(body).name) })];
    case 'GET /history':
      if (!isUser(request)) return [401];
      return [200, 'application/json', JSON.stringify(await history(searchParams.get('channel')))];
    case 'POST /webhook':
      return [receive(request, body)];
    case 'GET /archive':
      return [200, 'application/json', JSON.stringify([...archive.values()])];
    default:
      return [404];
  }
}

const server = createServer(async (request, response) => {
  try {
    const parts = [];
    for await (const part of request) parts.push(part);
    const [status, type, content] = await answer(request, Buffer.concat(parts));
    response.writeHead(status, type && { 'Content-Type': type }).end(content);
  } catch (why) {
    console.error(why);
    response.writeHead(500).end();
  }
});
await new Promise((done) => server.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', done));
const address = `http://127.0.0.1:${server.address().port}`;
const opened = await openChannels(`${address}/webhook`);
console.log(address);
