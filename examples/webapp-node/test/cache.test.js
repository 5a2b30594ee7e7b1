import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cache } from '../src/cache.js';
import { keys } from '../src/redis.js';
import { Device, startApp } from './support.js';

// A skip, with its reason, where the server's module has no cache.
function cacheTest(name, body) {
  test(name, async (t) => {
    const app = await startApp(t);
    if (!app.connections.hasCache) return t.skip("the server's module has no APP.CACHE");
    await body(t, app);
  });
}

cacheTest('fifty requests for a page that is not there read the database once', async (t, { base, store, article }) => {
  const pages = await Promise.all(Array.from({ length: 50 }, async () => (await new Device(base).get(`/articles/${article}`)).text()));
  assert.equal(new Set(pages).size, 1);
  assert.match(pages[0], /first/);
  assert.equal(store.articleReads, 1);
});

cacheTest('processes wait for the one that loads', async (t, { connections, article }) => {
  const key = keys.article(article);
  let loads = 0;
  const load = async () => {
    loads++;
    await new Promise((resolve) => setTimeout(resolve, 200));
    return 'page';
  };
  // Each cache stands for a process: they share nothing but the server.
  const caches = Array.from({ length: 10 }, () => new Cache(connections));
  assert.deepEqual(await Promise.all(caches.map((cache) => cache.getOrLoad(key, 60, load))), Array(10).fill('page'));
  assert.equal(loads, 1);
});

cacheTest('an edit is seen by the next request', async (t, { base, names, article }) => {
  const device = new Device(base);
  await device.logIn(names.alice);
  assert.match(await (await device.get(`/articles/${article}`)).text(), /first/);
  await device.post(`/articles/${article}`, { title: 'Hello', body: 'second' });
  assert.match(await (await device.get(`/articles/${article}`)).text(), /second/);
});

cacheTest('what was loaded before an edit is not stored after it', async (t, { connections, article }) => {
  const key = keys.article(article);
  const [slow, editor] = [new Cache(connections), new Cache(connections)];
  const answer = await slow.getOrLoad(key, 60, async () => {
    await editor.invalidate(key); // the edit comes while the loader holds what was before it
    return 'old';
  });
  assert.equal(answer, 'old');
  assert.equal(await connections.redis.get(key), null);
});

cacheTest('a database that is down is asked once, not by all who wait', async (t, { connections, article }) => {
  const key = keys.article(article);
  let loads = 0;
  const down = async () => {
    loads++;
    await new Promise((resolve) => setTimeout(resolve, 100));
    throw new Error('down');
  };
  const caches = Array.from({ length: 10 }, () => new Cache(connections));
  const results = await Promise.allSettled(caches.map((cache) => cache.getOrLoad(key, 60, down)));
  assert.ok(results.every((result) => result.status === 'rejected'));
  assert.equal(loads, 1);
});

test('an article is served with and without the cache', async (t) => {
  const { base, article } = await startApp(t);
  assert.match(await (await new Device(base).get(`/articles/${article}`)).text(), /first/);
  assert.equal((await new Device(base).get('/articles/0')).status, 404);
});
