// The chat of docs/examples in Chromium: two tabs, what they see of each other, a crash of the node in the middle, the past that a
// third one is shown, and the archive that the webhook fills.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { withBrowser } from '../chromium.mjs';
import { post } from '../client.mjs';
import { PATIENCE_MS, ready, soon } from './kit.mjs';

// What whoever runs this told the node.
const WEBHOOK_SECRET = 'secret-of-the-chat';
const SERVER = new URL('../../../../docs/examples/chat/server.mjs', import.meta.url).pathname;

/** Runs with the example's server; given its address. */
async function withServer(run) {
  const folder = mkdtempSync(join(tmpdir(), 'stentor-chat-'));
  const file = join(folder, 'ready.json');
  writeFileSync(file, JSON.stringify(ready));
  const server = spawn('node', [SERVER, file], {
    env: { ...process.env, PORT: '0', WEBHOOK_SECRET },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise((done) => server.once('exit', done));
  try {
    const lines = createInterface({ input: server.stdout });
    const first = Promise.race([
      new Promise((done) => lines.once('line', done)),
      ended.then((code) => assert.fail(`the server of the example ended with ${code}`)),
    ]);
    await run(await soon(first, 'the server of the example'));
  } finally {
    server.kill();
    await ended;
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A tab in which somebody entered. */
async function enter(browser, url, name) {
  const page = await browser.newPage();
  page.on('pageerror', (why) => console.error(name, why));
  await page.goto(url);
  await page.fill('#enter input', name);
  await page.click('#enter button');
  await status(page, `connected as ${name}`);
  return page;
}

// Not once for each frame that is drawn: of tabs that nobody looks at none are.
const polling = 50;

const status = (page, text) =>
  page.waitForFunction((it) => document.getElementById('status').textContent === it, text, { polling });

const list = (page, id, ...texts) =>
  page
    .waitForFunction(
      ([id, expected]) => [...document.getElementById(id).children].map((it) => it.textContent).join('|') === expected,
      [id, texts.join('|')],
      { polling },
    )
    .catch(async (why) => {
      throw new Error(`${id} is ${JSON.stringify(await page.innerText(`#${id}`))}, not ${texts}`, { cause: why });
    });

async function say(page, text) {
  await page.fill('#say input', text);
  await page.click('#say button');
}

/** What the webhook brought, once it is so much. */
async function archive(url, count) {
  for (const end = Date.now() + PATIENCE_MS; ; ) {
    const found = await (await fetch(`${url}/archive`)).json();
    if (found.length >= count || Date.now() > end) return found;
    await new Promise((done) => setTimeout(done, 50));
  }
}

async function chat(browser, url) {
  const said = [];
  const both = async (pages) => {
    for (const it of pages) await list(it, 'messages', ...said);
  };
  const ada = await enter(browser, url, 'ada');
  await list(ada, 'members', 'ada');
  const bob = await enter(browser, url, 'bob');
  const pages = [ada, bob];
  for (const it of pages) await list(it, 'members', 'ada', 'bob');
  const talk = async (page, name, text) => {
    await say(page, text);
    said.push(name + text);
    await both(pages);
  };
  await talk(ada, 'ada', 'hello ☃');
  await talk(bob, 'bob', 'hello <b>ada</b>');

  const lost = pages.map((it) => status(it, 'not connected'));
  process.kill(ready.pid, 'SIGKILL');
  await Promise.all(lost);
  // Whoever runs this starts it again.
  await status(ada, 'connected as ada');
  await status(bob, 'connected as bob');
  for (const it of pages) await list(it, 'members', 'ada', 'bob');
  await both(pages);
  await talk(ada, 'ada', 'are you still there?');
  await talk(bob, 'bob', 'I am');
  await post('/edge/realtime', { channel: 'chat:lobby', event: 'said', data: { text: 'by a server' } });
  said.push('somebodyby a server');
  await both(pages);

  const eve = await enter(browser, url, 'eve');
  await both([eve]);
  for (const it of [...pages, eve]) await list(it, 'members', 'ada', 'bob', 'eve');
  await bob.close();
  await list(ada, 'members', 'ada', 'eve');
  await ada.screenshot({ path: join(process.env.E2E_TARGET, 'e2e-chat.png') });

  const ids = await ada.evaluate(() => [...document.getElementById('messages').children].map((it) => it.id));
  const found = await archive(url, ids.length);
  assert.deepEqual(found.map((it) => it.messageId), ids, 'the webhook brought every message, in order');
  assert.deepEqual(found.map((it) => (it.senderId ?? 'somebody') + it.payload.text), said);
  const row = found.at(-1);
  assert.deepEqual([row.channelName, row.event, row.senderType], ['chat:lobby', 'said', 'system']);
}

await withServer((url) => withBrowser((browser) => chat(browser, url)));
process.exit(0);
