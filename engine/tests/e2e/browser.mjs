// A page in Chromium, from another origin: it joins, sees another member come, sends and receives.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { withBrowser } from './chromium.mjs';
import { Client, post, ready, token } from './client.mjs';

const CHANNEL = 'chat:page';

const files = createServer((_, answer) => {
  answer.setHeader('Content-Type', 'text/html');
  answer.end(readFileSync(new URL('page.html', import.meta.url)));
});
await new Promise((done) => files.listen(0, '127.0.0.1', done));
await withBrowser(async (browser) => {
  const page = await browser.newPage();
  const query = new URLSearchParams({ http: ready.http, channel: CHANNEL, token: await token('pia', 'Pia') });
  await page.goto(`http://127.0.0.1:${files.address().port}/?${query}`);
  const lines = (list, ...texts) =>
    page.waitForFunction(
      ([id, expected]) => [...document.getElementById(id).children].map((it) => it.textContent).join('|') === expected,
      [list, texts.join('|')],
    );
  await page.waitForFunction((name) => document.getElementById('channel').textContent === name, CHANNEL);
  await page.waitForFunction(() => document.getElementById('version').textContent === 'stentor');
  await lines('members', 'Pia');

  const ada = await Client.join(CHANNEL, 'ada', 'Ada');
  assert.equal(ada.presence.length, 2);
  await lines('members', 'Pia', 'Ada');

  await page.fill('#text', 'from the page ☃');
  await page.click('button');
  assert.equal((await ada.nextJson()).data.text, 'from the page ☃');
  await ada.publish(JSON.stringify({ action: 'publish', data: { text: 'to the page' } }));
  await lines('messages', 'from the page ☃', 'to the page');

  // A page with a server's token may publish from another origin too: the browser asks first.
  const session = await post('/edge/session');
  const status = await page.evaluate(
    async ([url, bearer, body]) => {
      const headers = { Authorization: `Bearer ${bearer}`, 'Content-Type': 'application/json' };
      return (await fetch(url, { method: 'POST', headers, body })).status;
    },
    [`${ready.http}/edge/realtime`, session.token, JSON.stringify({ channel: CHANNEL, data: { text: 'by fetch' } })],
  );
  assert.equal(status, 200);
  await lines('messages', 'from the page ☃', 'to the page', 'by fetch');
  await page.screenshot({ path: join(process.env.E2E_TARGET, 'e2e-page.png') });

  process.kill(ready.pid, 'SIGTERM');
  await page.waitForFunction(() => document.title === 'closed 1001');
});
process.exit(0);
