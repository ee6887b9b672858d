// Chromium without a window.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { PATIENCE_MS } from './client.mjs';

const FLAGS = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Runs with a browser that has a profile of its own, and ends it. */
export async function withBrowser(run) {
  const executablePath = ['/usr/bin/chromium', '/usr/bin/google-chrome'].find((it) => existsSync(it));
  assert.ok(executablePath, 'no browser: sudo apt-get install --yes chromium');
  const profile = mkdtempSync(join(tmpdir(), 'stentor-page-'));
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    chromiumSandbox: false,
    args: FLAGS,
    timeout: 15_000,
  });
  browser.setDefaultTimeout(PATIENCE_MS);
  try {
    await run(browser);
  } finally {
    await browser.close();
    rmSync(profile, { recursive: true, force: true });
  }
}
