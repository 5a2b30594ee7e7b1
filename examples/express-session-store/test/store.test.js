import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import express from 'express';
import session from 'express-session';
import { createClient } from 'redis';
import { AppkitStore } from '../src/appkit-store.js';

const url = process.env.REDIS_URL ?? 'redis://localhost:6379';

async function startApp(t, cookie = { maxAge: 60_000 }) {
  const redis = await createClient({ url }).connect();
  const store = new AppkitStore({ redis, prefix: `test:${randomUUID()}:` });
  const app = express();
  app.use(session({ store, genid: store.genid, cookie, secret: 'test', resave: false, saveUninitialized: false }));
  app.get('/', (req, res) => res.json({ id: req.sessionID, data: { ...req.session, cookie: undefined } }));
  app.post('/set/:name/:value', async (req, res) => {
    req.session[req.params.name] = req.params.value;
    if (req.query.slow) await sleep(300);
    res.end();
  });
  app.post('/login/:user', async (req, res) => {
    await store.logIn(req, req.params.user);
    res.end();
  });
  app.post('/logout', (req, res, next) => req.session.destroy((error) => (error ? next(error) : res.end())));
  app.post('/max-age/:ms', (req, res) => {
    req.session.cookie.maxAge = Number(req.params.ms);
    req.session.remember = true;
    res.end();
  });
  app.post('/logout-everywhere', async (req, res) => res.json(await store.logOutEverywhere(req.sessionID)));
  app.post('/logout-others', async (req, res) => res.json(await store.logOutEverywhere(req.sessionID, { keepThis: true })));
  app.get('/devices', async (req, res) => res.json(await store.devices(req.sessionID)));
  const server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
    redis.destroy();
  });
  return { redis, store, device: () => new Device(`http://127.0.0.1:${server.address().port}`) };
}

class Device {
  cookie = '';

  constructor(base) {
    this.base = base;
  }

  async send(method, path) {
    const response = await fetch(this.base + path, { method, headers: { cookie: this.cookie } });
    assert.equal(response.status, 200);
    const set = response.headers.get('set-cookie');
    if (set) this.cookie = set.split(';')[0];
    return response;
  }

  post(path) {
    return this.send('POST', path);
  }

  async data() {
    return (await (await this.send('GET', '/')).json()).data;
  }

  twin() {
    return Object.assign(new Device(this.base), { cookie: this.cookie });
  }
}

test('what a request puts into the session is there for the next one', async (t) => {
  const { device } = await startApp(t);
  const visitor = device();
  assert.deepEqual(await visitor.data(), {});
  assert.equal(visitor.cookie, ''); // nothing to keep, so no session
  await visitor.post('/set/color/red');
  await visitor.post('/set/size/m');
  assert.deepEqual(await visitor.data(), { color: 'red', size: 'm' });
});

test('logging in moves the session to the user\'s key, under a new id', async (t) => {
  const { device, redis, store } = await startApp(t);
  const visitor = device();
  await visitor.post('/set/color/red');
  const before = visitor.twin();
  await visitor.post('/login/42');
  assert.deepEqual(await visitor.data(), { color: 'red' });
  assert.deepEqual(await before.data(), {});
  assert.equal(await redis.exists(`${store.prefix}u42`), 1);
  assert.equal((await redis.keys(`${store.prefix}v*`)).length, 0);
});

test('logging in as somebody else takes nothing along', async (t) => {
  const { device } = await startApp(t);
  const shared = device();
  await shared.post('/login/42');
  await shared.post('/set/secret/42s');
  await shared.post('/login/43');
  assert.deepEqual(await shared.data(), {});
});

test('a request that is slower than the log-out does not bring the session back', async (t) => {
  const { device } = await startApp(t);
  const phone = device();
  await phone.post('/login/42');
  const slow = phone.twin();
  const late = slow.post('/set/color/red?slow=1');
  await sleep(100);
  await phone.twin().post('/logout-everywhere');
  await late;
  assert.deepEqual(await slow.data(), {});
  assert.deepEqual(await phone.data(), {});
});

test('logging out ends this session alone; everywhere, all of the user and nobody else\'s', async (t) => {
  const { device } = await startApp(t);
  const [a, b, c, other] = [device(), device(), device(), device()];
  for (const each of [a, b, c]) await each.post('/login/42');
  await other.post('/login/43');
  for (const each of [a, b, c, other]) await each.post('/set/in/yes');
  const old = a.twin();
  await a.post('/logout');
  assert.deepEqual(await old.data(), {});
  assert.deepEqual(await b.data(), { in: 'yes' });
  assert.equal(await (await b.post('/logout-others')).json(), 1);
  assert.deepEqual(await c.data(), {});
  assert.deepEqual(await b.data(), { in: 'yes' });
  assert.equal(await (await b.post('/logout-everywhere')).json(), 1);
  assert.deepEqual(await b.data(), {});
  assert.deepEqual(await other.data(), { in: 'yes' });
});

test('a request without a change touches the session: it lives on while it is used', async (t) => {
  const { device } = await startApp(t, { maxAge: 3000 });
  const visitor = device();
  await visitor.post('/set/color/red');
  const unused = visitor.twin();
  for (let n = 0; n < 5; n++) {
    await sleep(900);
    assert.deepEqual(await visitor.data(), { color: 'red' });
  }
  await sleep(3500);
  assert.deepEqual(await unused.data(), {});
});

test('a changed maxAge is the session\'s new lifetime', async (t) => {
  const { device, redis, store } = await startApp(t);
  const visitor = device();
  await visitor.post('/login/42');
  await visitor.post('/max-age/3600000');
  const ttl = await redis.pTTL(`${store.prefix}u42`);
  assert.ok(ttl > 3_500_000 && ttl <= 3_600_000, ttl);
});

test('the devices of a user are listed, this one marked', async (t) => {
  const { device } = await startApp(t);
  const [phone, laptop] = [device(), device()];
  await phone.post('/login/42');
  await laptop.post('/set/name/laptop');
  await laptop.post('/login/42');
  const devices = await (await laptop.send('GET', '/devices')).json();
  assert.equal(devices.length, 2);
  assert.deepEqual(devices.filter((d) => d.current).map((d) => d.data.name), ['laptop']);
});

test('an id of another form is a session that is not there', async (t) => {
  const { store } = await startApp(t);
  for (const sid of ['', 'abc', 'u42', 'u42.short', 'x.'.padEnd(40, 'a'), `u42\n.${'a'.repeat(32)}`]) {
    assert.equal(await new Promise((resolve, reject) => store.get(sid, (error, data) => (error ? reject(error) : resolve(data)))), null);
  }
});

test('an error of the server reaches the callback', async (t) => {
  const { store, redis } = await startApp(t);
  const sid = `u42.${'a'.repeat(32)}`;
  await redis.set(`${store.prefix}u42`, 'not a session', { EX: 10 });
  const error = await new Promise((resolve) => store.get(sid, resolve));
  assert.match(error.message, /^WRONGTYPE/);
});
