// All four families with ioredis: plain `call`s.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Cluster, Command, Redis } from 'ioredis';

const url = process.env.REDIS_URL ?? 'redis://localhost:6379';
const { version } = JSON.parse(readFileSync(new URL('node_modules/ioredis/package.json', import.meta.url)));

// Two rules checked together, charged both or none.
async function rateLimit(redis, prefix) {
  const rules = [`${prefix}:limit:tenant`, 2, 'EX', 1, 100, 'EX', 60];
  const replies = await Promise.all(Array.from({ length: 5 }, () => redis.call('APP.RATELIMIT', ...rules)));
  assert.equal(replies.filter(([allowed]) => allowed === 1).length, 2);
  const [allowed, limit, , retryAfterMs, , , rule] = replies[4];
  assert.deepEqual([allowed, limit, rule], [0, 2, 0]);
  assert.ok(retryAfterMs > 0 && retryAfterMs <= 1032);

  // With the option `replyMapping: 'resp3'` maps come as objects.
  const full = await redis.call('APP.RATELIMIT.PEEK', ...rules, 'FULL');
  assert.deepEqual(full.rules.map((each) => each.remaining), [0, 98]);
  await redis.call('APP.RATELIMIT.REFUND', ...rules, 'COST', 2);
  assert.equal((await redis.call('APP.RATELIMIT.PEEK', ...rules))[0], 1);
}

// One key holds all sessions of a user, so logging out everywhere is one step.
async function sessions(redis, prefix) {
  const key = `${prefix}:sessions:alice`;
  const phone = await redis.call('APP.SESSION.CREATE', key, 'EX', 1800, 'MAXAGE', 86_400_000,
    'DATA', JSON.stringify({ device: 'phone' }), 'LIMIT', 5);
  const laptop = await redis.call('APP.SESSION.CREATE', key, 'EX', 1800, 'DATA', '{"device":"laptop"}');
  assert.deepEqual(JSON.parse(await redis.call('APP.SESSION.TOUCH', key, phone)), { device: 'phone' });
  await redis.call('APP.SESSION.UPDATE', key, phone, '{"theme":"dark"}');

  // ioredis sends a call again after a lost connection; with GRACE a second rotation does no harm.
  const rotated = await redis.call('APP.SESSION.ROTATE', key, phone, 'GRACE', 10_000);
  const meta = await redis.call('APP.SESSION.GET', key, rotated, 'WITHMETA');
  assert.deepEqual(JSON.parse(meta.data), { device: 'phone', theme: 'dark' });

  const devices = await redis.call('APP.SESSION.LIST', key, 'CURRENT', rotated);
  const other = devices.find((device) => !device.current);
  assert.equal(JSON.parse(other.data).device, 'laptop');
  assert.equal(await redis.call('APP.SESSION.REVOKE', key, 'HANDLE', other.handle), 1);
  assert.equal(await redis.call('APP.SESSION.GET', key, laptop), null);
  assert.equal(await redis.call('APP.SESSION.REVOKEALL', key), 1);
  assert.equal(await redis.call('APP.SESSION.UPDATE', key, rotated, '{"theme":"light"}'), null);
}

async function inLine(redis, key, waiters) {
  for (let tries = 0; (await redis.call('APP.LOCK.INFO', key))?.waiters !== waiters; tries++) {
    assert.ok(tries < 500, 'nobody came to wait');
    await sleep(10);
  }
}

// A lock with a fence; whoever waits is handed the lock in the server.
async function locks(redis, prefix) {
  const key = `${prefix}:lock:report`;
  const [mine, theirs] = [randomUUID(), randomUUID()];
  const [, fence] = await redis.call('APP.LOCK', key, mine, 'EX', 30);
  assert.equal((await redis.call('APP.LOCK', key, theirs, 'EX', 30))[0], 0);
  assert.equal(await redis.call('APP.LOCK.EXTEND', key, mine, 'EX', 60), 1);

  // A client has one connection that all its calls share: one that waits would hold up all others.
  // So each waiting call gets a connection of its own, without commandTimeout or socketTimeout, or
  // with ones above WAIT.
  const waiter = redis.duplicate({ connectionName: 'waiter', commandTimeout: 15_000 });
  const waiting = waiter.call('APP.LOCK', key, theirs, 'EX', 30, 'WAIT', 10_000);
  await inLine(redis, key, 1);

  // The connection is lost while the call waits: ioredis connects again and sends it again
  // (autoResendUnfulfilledCommands, maxRetriesPerRequest). The token makes both the same hold.
  await redis.client('KILL', 'ID', await clientId(redis, 'waiter'));
  await inLine(redis, key, 1);

  assert.equal(await redis.call('APP.UNLOCK', key, mine), 1);
  const [held, nextFence] = await waiting;
  assert.equal(held, 1);
  assert.ok(nextFence > fence); // what the storage compares
  assert.equal(await redis.call('APP.UNLOCK', key, mine), 0);
  assert.equal(await redis.call('APP.UNLOCK', key, theirs), 1);
  assert.equal(await redis.call('APP.UNLOCK', key, theirs), null);
  waiter.disconnect();
}

async function clientId(redis, name) {
  const line = (await redis.client('LIST')).split('\n').find((each) => each.includes(` name=${name} `));
  return /^id=(\d+)/.exec(line)[1];
}

// Twenty requests for a page that is not there: one loads it.
async function cache(redis, prefix) {
  const key = `${prefix}:cache:page`;
  const waiter = redis.duplicate({ commandTimeout: 15_000 });
  let loads = 0;
  let misses;

  async function load() {
    const [status, cached, lease] = await waiter.call('APP.CACHE.GETORLOAD', key, 'LEASE', 5000, 'WAIT', 10_000);
    if (status === 'HIT') return cached;
    assert.equal(status, 'LOAD');
    loads++;
    await sleep(50); // the database
    // Over the other connection: on the one that waits FILL would stand behind the waiting calls.
    await redis.call('APP.CACHE.FILL', key, lease, '<p>page</p>', 'EX', 60);
    return '<p>page</p>';
  }
  // All requests of this process that miss at the same time share one call to the server.
  async function page() {
    const cached = await redis.get(key);
    if (cached !== null) return cached;
    misses ??= load().finally(() => { misses = undefined; });
    return misses;
  }

  const pages = await Promise.all(Array.from({ length: 20 }, page));
  assert.deepEqual(new Set(pages), new Set(['<p>page</p>']));
  assert.equal(loads, 1);
  waiter.disconnect();

  const lease = (await redis.call('APP.CACHE.GETORLOAD', key, 'LEASE', 5000, 'EARLY', 120_000))[2];
  assert.equal(await redis.call('APP.CACHE.INVALIDATE', key), 1);
  assert.equal(await redis.call('APP.CACHE.FILL', key, lease, '<p>old</p>', 'EX', 60), 0);
  assert.deepEqual((await redis.call('APP.CACHE.GETORSET', key, 'a', 'EX', 60)).slice(0, 2), ['SET', 'a']);
}

// ioredis knows the keys of core commands only. A module's command goes to any node and is sent on
// by its MOVED; a command that names its key goes to the right node at once.
class KeyedCommand extends Command {
  getKeys() {
    return [this.args[0]];
  }
}

async function clusterCalls(rootUrl) {
  const cluster = new Cluster([rootUrl]);
  await once(cluster, 'ready');
  const send = (name, ...args) => cluster.sendCommand(new KeyedCommand(name, args, { replyEncoding: 'utf8' }));
  const prefix = `example:${randomUUID()}`;
  const keys = Array.from({ length: 30 }, (_, n) => `${prefix}:${n}`);

  let before = await moved(cluster);
  for (const key of keys) {
    assert.equal((await send('APP.RATELIMIT', `${key}:limit`, 5, 'EX', 60))[0], 1);
    const id = await send('APP.SESSION.CREATE', `${key}:sessions`, 'EX', 60);
    assert.equal(await send('APP.SESSION.GET', `${key}:sessions`, id), '{}');
  }
  assert.equal(await moved(cluster), before);

  before = await moved(cluster);
  for (const key of keys) {
    assert.equal((await cluster.call('APP.RATELIMIT', `${key}:limit`, 5, 'EX', 60))[0], 1);
  }
  assert.notEqual(await moved(cluster), before); // it works, with a detour

  // A cluster client has one connection a node, shared by all calls: for WAIT a client of its own.
  const waiter = new Cluster([rootUrl], { redisOptions: { commandTimeout: 15_000 } });
  const lock = new KeyedCommand('APP.LOCK', [`${prefix}:lock`, randomUUID(), 'EX', 5, 'WAIT', 10_000]);
  assert.equal((await waiter.sendCommand(lock))[0], 1);
  waiter.disconnect();
  cluster.disconnect();
}

async function moved(cluster) {
  const errors = await Promise.all(cluster.nodes('master').map((node) => node.info('errorstats')));
  return errors.reduce((sum, text) => sum + Number(/errorstat_MOVED:count=(\d+)/.exec(text)?.[1] ?? 0), 0);
}

// In RESP2 (and in RESP3 without replyMapping) maps come as flat arrays; this makes objects of them.
async function flatMaps(prefix) {
  const redis = new Redis(url, { protocol: 2 });
  const flat = await redis.call('APP.RATELIMIT', `${prefix}:limit:flat`, 5, 'EX', 60, 'FULL');
  const map = Object.fromEntries(Array.from({ length: flat.length / 2 }, (_, i) => flat.slice(2 * i, 2 * i + 2)));
  assert.equal(map.allowed, 1);
  assert.equal(map.rules[0][map.rules[0].indexOf('remaining') + 1], 4);
  redis.disconnect();
}

const prefix = `example:${randomUUID()}`;
await flatMaps(prefix);
console.log(`PASSED ioredis RESP2 [${version}]`);

const redis = new Redis(url, { protocol: 3, replyMapping: 'resp3' });
await rateLimit(redis, prefix);
await sessions(redis, prefix);
await locks(redis, prefix);
if ((await redis.call('COMMAND', 'INFO', 'APP.CACHE.GETORLOAD'))[0]) {
  await cache(redis, prefix);
} else {
  console.log("SKIPPED ioredis RESP3: the cache, which this server's module does not have");
}
console.log(`PASSED ioredis RESP3 [${version}]`);
redis.disconnect();

if (process.env.CLUSTER_URL) {
  await clusterCalls(process.env.CLUSTER_URL);
  console.log(`PASSED ioredis cluster [${version}]`);
} else {
  console.log('SKIPPED ioredis cluster: CLUSTER_URL is not set');
}
