import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Device, startApp } from './support.js';

test('the cookie names user and session and is kept from scripts', async (t) => {
  const { base, names } = await startApp(t);
  const response = await new Device(base).logIn(names.alice);
  assert.match(response.headers.get('set-cookie'), /^session=u\d+\.[0-9a-f-]{36}; Path=\/; HttpOnly; SameSite=Lax$/);
});

test('a visitor\'s cart comes along to the account and the visitor\'s id is worth nothing then', async (t) => {
  const { base, names } = await startApp(t);
  const device = new Device(base);
  await device.post('/cart', { item: 'socks' });
  const visitor = device.cookie;
  assert.match(visitor, /^session=v/);
  await device.logIn(names.alice);
  assert.match(await (await device.get('/')).text(), /Cart: socks/);

  const thief = new Device(base);
  thief.cookie = visitor;
  assert.match(await (await thief.get('/')).text(), /Cart: empty/);
});

test('a second log-in rotates the id; requests under way with the old one are served', async (t) => {
  const { base, names } = await startApp(t);
  const device = new Device(base);
  await device.logIn(names.alice);
  const old = new Device(base);
  old.cookie = device.cookie;
  await device.logIn(names.alice);
  assert.notEqual(device.cookie, old.cookie);
  assert.ok(await device.loggedIn());
  assert.ok(await old.loggedIn());
  // It is one session still: ending it ends both ids.
  await device.post('/logout');
  assert.equal(await old.loggedIn(), false);
});

test('the account page lists the devices, and ends one of them', async (t) => {
  const { base, names } = await startApp(t);
  const [phone, laptop] = [new Device(base, 'phone'), new Device(base, 'laptop')];
  await phone.logIn(names.alice);
  await laptop.logIn(names.alice);
  const page = await (await laptop.get('/account')).text();
  assert.match(page, /laptop \(this one\)/);
  assert.match(page, /<td>phone<\/td>/);
  const [, handle] = /devices\/([\w-]{22})\/end/.exec(page);
  await laptop.post(`/account/devices/${handle}/end`);
  assert.equal(await phone.loggedIn(), false);
  assert.ok(await laptop.loggedIn());
});

test('nobody ends a device of somebody else', async (t) => {
  const { base, names } = await startApp(t);
  const [alices, second, bobs] = [new Device(base), new Device(base), new Device(base)];
  await alices.logIn(names.alice);
  await second.logIn(names.alice);
  await bobs.logIn(names.bob);
  const [, handle] = /devices\/([\w-]{22})\/end/.exec(await (await alices.get('/account')).text());
  await bobs.post(`/account/devices/${handle}/end`);
  assert.ok(await second.loggedIn());
});

test('logging out everywhere else keeps this device, everywhere keeps none', async (t) => {
  const { base, names } = await startApp(t);
  const devices = Array.from({ length: 3 }, () => new Device(base));
  for (const device of devices) await device.logIn(names.alice);
  await devices[0].post('/logout-others');
  assert.deepEqual(await Promise.all(devices.map((d) => d.loggedIn())), [true, false, false]);
  await devices[1].logIn(names.alice);
  await devices[0].post('/logout-everywhere');
  assert.deepEqual(await Promise.all(devices.map((d) => d.loggedIn())), [false, false, false]);
});

test('a request that was slower than a log-out does not bring the session back', async (t) => {
  const { base, names, connections } = await startApp(t);
  const [slow, fast] = [new Device(base), new Device(base)];
  await slow.logIn(names.alice);
  fast.cookie = slow.cookie;
  // The log-out comes between the slow request's look at its session and its change of it.
  const send = connections.redis.sendCommand.bind(connections.redis);
  let held = null;
  connections.redis.sendCommand = async (args) => {
    if (args[0] === 'APP.SESSION.UPDATE') {
      held = true;
      await fast.post('/logout-everywhere');
    }
    return send(args);
  };
  const response = await slow.post('/cart', { item: 'socks' });
  connections.redis.sendCommand = send;
  assert.equal(held, true);
  assert.equal(response.status, 401);
  assert.equal(await slow.loggedIn(), false);
});

test('a cookie that was made up is a visitor', async (t) => {
  const { base } = await startApp(t);
  for (const cookie of ['u1', 'u1.', 'u1.short', 'x.00000000-0000-4000-8000-000000000000', 'u1.00000000-0000-4000-8000-000000000000', '%00%ff']) {
    const device = new Device(base);
    device.cookie = `session=${cookie}`;
    assert.equal((await device.get('/')).status, 200, cookie);
    assert.equal(await device.loggedIn(), false, cookie);
  }
});

test('a form of another site is turned away', async (t) => {
  const { base, names } = await startApp(t);
  const device = new Device(base);
  await device.logIn(names.alice);
  for (const origin of ['https://evil.example', 'null']) {
    assert.equal((await device.post('/logout-everywhere', {}, { origin })).status, 403);
  }
  assert.equal((await device.post('/cart', { item: 'a' }, { origin: base })).status, 303);
  assert.ok(await device.loggedIn());
});
