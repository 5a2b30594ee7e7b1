// In a real browser: Debian's Chromium (or CHROMIUM=path), without a screen.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import { startApp } from './support.js';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const skip = existsSync(executablePath) ? false : `there is no browser at ${executablePath}`;
const args = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync'];

describe('in a browser', { skip }, () => {
  let browser;
  before(async () => {
    // With a new profile in a temporary folder, which goes with the browser.
    browser = await chromium.launch({ executablePath, args, timeout: 120_000 });
  });
  after(() => browser?.close());

  // A device: cookies of its own.
  async function device(t, base, userAgent) {
    const context = await browser.newContext({ userAgent });
    t.after(() => context.close());
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    await page.goto(base);
    return page;
  }

  async function logIn(page, base, name) {
    await page.goto(`${base}/login`);
    await page.fill('[name=name]', name);
    await page.fill('[name=password]', 'secret');
    await page.click('button');
    await page.waitForURL(`${base}/account`);
  }

  test('logged in on two devices: logging out everywhere on one ends the other', async (t) => {
    const { base, names } = await startApp(t);
    const [phone, laptop] = await Promise.all([device(t, base, 'phone'), device(t, base, 'laptop')]);
    await phone.fill('[name=item]', 'socks');
    await phone.click('button:text-is("Add")');
    assert.equal(await phone.textContent('#cart'), 'Cart: socks');
    await logIn(phone, base, names.alice);
    await logIn(laptop, base, names.alice);
    assert.equal(await laptop.locator('#devices tr').count(), 2);

    await phone.goto(base);
    assert.equal(await phone.textContent('#cart'), 'Cart: socks'); // it came along from before the log-in
    assert.match(await phone.textContent('#who'), /Logged in as/);

    await laptop.click('button:text-is("Log out everywhere")');
    await laptop.waitForURL(`${base}/`);
    assert.match(await laptop.textContent('#who'), /Not logged in/);
    await phone.goto(`${base}/account`);
    assert.equal(phone.url(), `${base}/login`);
    await phone.goto(base);
    assert.match(await phone.textContent('#who'), /Not logged in/);
  });

  test('who hammers a page gets 429, and is let in after Retry-After and not before', async (t) => {
    const { base, names } = await startApp(t, { api: { limit: 3, windowMs: 6000 } });
    const page = await device(t, base);
    await logIn(page, base, names.alice);
    let refused;
    for (let n = 0; n < 4; n++) refused = await page.goto(`${base}/api/time`);
    const since = Date.now();
    assert.equal(refused.status(), 429);
    const seconds = Number(refused.headers()['retry-after']);
    assert.ok(seconds >= 1 && seconds <= 7, `Retry-After: ${seconds}`);
    // Rounded up to seconds, so a second and a little earlier it must be refused still.
    await sleep((seconds - 1.2) * 1000 - (Date.now() - since));
    assert.equal((await page.goto(`${base}/api/time`)).status(), 429);
    await sleep(seconds * 1000 - (Date.now() - since));
    assert.equal((await page.goto(`${base}/api/time`)).status(), 200);
  });
});
