import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Device, startApp } from './support.js';

test('wrong passwords are let through up to the limit, however many come at once', async (t) => {
  const { base, names } = await startApp(t);
  const attempts = Array.from({ length: 20 }, () => new Device(base).logIn(names.alice, 'wrong'));
  const statuses = (await Promise.all(attempts)).map((response) => response.status);
  assert.equal(statuses.filter((status) => status === 401).length, 5);
  assert.equal(statuses.filter((status) => status === 429).length, 15);
  // The right one is not looked at either, and other accounts are not touched.
  assert.equal((await new Device(base).logIn(names.alice)).status, 429);
  assert.equal((await new Device(base).logIn(names.bob)).status, 303);
});

test('log-ins that succeed are not counted', async (t) => {
  const { base, names } = await startApp(t);
  for (let n = 0; n < 12; n++) assert.equal((await new Device(base).logIn(names.alice)).status, 303);
});

test('who waits for as long as Retry-After says is let in', async (t) => {
  const { base, names } = await startApp(t, { loginByAccount: { limit: 2, windowMs: 4000 } });
  const device = new Device(base);
  await device.logIn(names.alice, 'wrong');
  await device.logIn(names.alice, 'wrong');
  const refused = await device.logIn(names.alice);
  assert.equal(refused.status, 429);
  const seconds = Number(refused.headers.get('retry-after'));
  assert.ok(seconds >= 1 && seconds <= 5, `Retry-After: ${seconds}`);
  await sleep(seconds * 1000);
  assert.equal((await device.logIn(names.alice)).status, 303);
});

test('the API counts down in its headers and refuses with 429 at zero', async (t) => {
  const { base, names } = await startApp(t);
  const device = new Device(base);
  await device.logIn(names.alice);
  for (let left = 9; left >= 0; left--) {
    const response = await device.get('/api/time');
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('ratelimit-policy'), '"api";q=10;w=10');
    assert.match(response.headers.get('ratelimit'), new RegExp(`^"api";r=${left};t=1?[0-9]$`));
    assert.equal(response.headers.get('retry-after'), null);
  }
  const response = await device.get('/api/time');
  assert.equal(response.status, 429);
  assert.match(response.headers.get('ratelimit'), /^"api";r=0;t=1?[0-9]$/);
  const seconds = Number(response.headers.get('retry-after'));
  assert.ok(seconds >= 1 && seconds <= 11, `Retry-After: ${seconds}`);
});
