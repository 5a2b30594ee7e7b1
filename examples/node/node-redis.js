// All four families with node-redis: plain `sendCommand` calls. Arguments are strings.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient, createCluster } from 'redis';

const url = process.env.REDIS_URL ?? 'redis://localhost:6379';
const { version } = JSON.parse(readFileSync(new URL('node_modules/redis/package.json', import.meta.url)));

// A map comes as an object in RESP3 and as a flat array of names and values in RESP2.
function asMap(reply) {
  if (!Array.isArray(reply)) return reply;
  const map = {};
  for (let i = 0; i < reply.length; i += 2) map[reply[i]] = reply[i + 1];
  return map;
}

// Three calls a minute: the fourth is refused and told when to come back.
async function rateLimit(client, prefix) {
  const rule = [`${prefix}:limit:alice`, '3', 'EX', '60'];
  for (const left of [2, 1, 0]) {
    const [allowed, limit, remaining] = await client.sendCommand(['APP.RATELIMIT', ...rule]);
    assert.deepEqual([allowed, limit, remaining], [1, 3, left]);
  }
  const [allowed, , remaining, retryAfterMs, , nextMs] = await client.sendCommand(['APP.RATELIMIT', ...rule]);
  const headers = {
    'RateLimit-Policy': '"login";q=3;w=60',
    RateLimit: `"login";r=${remaining};t=${Math.ceil(nextMs / 1000)}`,
    'Retry-After': Math.ceil(retryAfterMs / 1000),
  };
  assert.equal(allowed, 0);
  assert.ok(headers['Retry-After'] >= 55 && headers['Retry-After'] <= 62, JSON.stringify(headers));

  // The log-in succeeded after all: what it was charged is given back.
  await client.sendCommand(['APP.RATELIMIT.REFUND', ...rule]);
  const peek = asMap(await client.sendCommand(['APP.RATELIMIT.PEEK', ...rule, 'FULL']));
  assert.equal(peek.allowed, 1);
  assert.equal(asMap(peek.rules[0]).remaining, 1);
}

// One key holds all sessions of a user, so logging out everywhere is one step.
async function sessions(client, prefix) {
  const key = `${prefix}:sessions:alice`;
  const send = (name, ...args) => client.sendCommand([`APP.SESSION.${name}`, key, ...args]);
  const phone = await send('CREATE', 'EX', '1800', 'MAXAGE', '86400000', 'LIMIT', '5',
    'DATA', JSON.stringify({ device: 'phone' }));
  const laptop = await send('CREATE', 'EX', '1800', 'DATA', '{"device":"laptop"}');

  assert.deepEqual(JSON.parse(await send('TOUCH', phone)), { device: 'phone' });
  const document = await send('UPDATE', phone, '{"cart":["socks"]}');
  assert.deepEqual(JSON.parse(document), { device: 'phone', cart: ['socks'] });

  // At a log-in: a new id, and for a while the old one too, for requests that are under way.
  const rotated = await send('ROTATE', phone, 'GRACE', '10000');
  assert.notEqual(rotated, phone);
  assert.notEqual(await send('GET', phone), null);

  // The account page: handles name the devices without being credentials.
  const devices = (await send('LIST', 'CURRENT', rotated)).map(asMap);
  assert.equal(devices.length, 2);
  const other = devices.find((device) => device.current === 0);
  assert.equal(JSON.parse(other.data).device, 'laptop');
  assert.equal(await send('REVOKE', 'HANDLE', other.handle), 1);
  assert.equal(await send('GET', laptop), null);

  assert.equal(await send('REVOKEALL'), 1);
  // A slow request cannot bring the session back.
  assert.equal(await send('UPDATE', rotated, '{"cart":[]}'), null);
}

async function inLine(client, key, waiters) {
  for (let tries = 0; asMap(await client.sendCommand(['APP.LOCK.INFO', key])).waiters !== waiters; tries++) {
    assert.ok(tries < 500, 'nobody came to wait');
    await sleep(10);
  }
}

// A lock with a fence; whoever waits is handed the lock in the server.
async function locks(client, prefix) {
  const key = `${prefix}:lock:report`;
  const [mine, theirs] = [randomUUID(), randomUUID()];
  const [held, fence] = await client.sendCommand(['APP.LOCK', key, mine, 'EX', '30']);
  assert.equal(held, 1);
  // Sent again it is the same hold.
  assert.equal((await client.sendCommand(['APP.LOCK', key, mine, 'EX', '30']))[1], fence);
  assert.deepEqual((await client.sendCommand(['APP.LOCK', key, theirs, 'EX', '30'])).slice(0, 2), [0, 0]);
  assert.equal(await client.sendCommand(['APP.LOCK.EXTEND', key, mine, 'EX', '60']), 1);

  // A client has one connection that all its calls share: one that waits would hold up all others.
  // So each waiting call gets a connection of its own. It must not have a socketTimeout below WAIT;
  // commandOptions.timeout does not matter, as it ends when the call has been written.
  const waiter = client.duplicate({ name: 'waiter', socket: { socketTimeout: 15_000 } });
  waiter.on('error', () => {}); // it reconnects by itself
  await waiter.connect();
  const wait = ['APP.LOCK', key, theirs, 'EX', '30', 'WAIT', '10000'];
  const lost = assert.rejects(waiter.sendCommand(wait));
  await inLine(client, key, 1);

  // The connection is lost while the call waits: node-redis rejects what it had sent already and
  // does not send it again. Doing so with the same token is safe, even if it had got the lock.
  await client.sendCommand(['CLIENT', 'KILL', 'ID', String(await clientId(client, 'waiter'))]);
  await lost;
  const waiting = waiter.sendCommand(wait);
  await inLine(client, key, 1);

  assert.equal(await client.sendCommand(['APP.UNLOCK', key, mine]), 1);
  const [handedOver, nextFence] = await waiting;
  assert.equal(handedOver, 1);
  assert.ok(nextFence > fence); // what the storage compares

  // 1 released, 0 somebody else holds it, null nobody does: both failures are falsy.
  assert.equal(await client.sendCommand(['APP.UNLOCK', key, mine]), 0);
  assert.equal(await client.sendCommand(['APP.UNLOCK', key, theirs]), 1);
  assert.equal(await client.sendCommand(['APP.UNLOCK', key, theirs]), null);
  waiter.destroy();
}

async function clientId(client, name) {
  const line = (await client.sendCommand(['CLIENT', 'LIST'])).toString().split('\n').find((l) => l.includes(` name=${name} `));
  return /^id=(\d+)/.exec(line)[1];
}

// One caller loads, the others wait for its value; an invalidation beats a slow loader.
async function cache(client, prefix) {
  const key = `${prefix}:cache:page`;
  const load = ['APP.CACHE.GETORLOAD', key, 'LEASE', '5000'];
  const [status, , lease] = await client.sendCommand(load);
  assert.equal(status, 'LOAD');
  assert.equal((await client.sendCommand(load))[0], 'BUSY');

  const waiter = client.duplicate({ socket: { socketTimeout: 15_000 } });
  await waiter.connect();
  const waiting = waiter.sendCommand([...load, 'WAIT', '10000']);
  // Not over the waiter's connection: FILL would wait for the call that waits for it.
  assert.equal(await client.sendCommand(['APP.CACHE.FILL', key, lease, '<p>page</p>', 'EX', '60']), 1);
  assert.deepEqual((await waiting).slice(0, 2), ['HIT', '<p>page</p>']);
  waiter.destroy();

  // EARLY: one caller refreshes what is about to run out, the others get it as it is.
  const refresh = await client.sendCommand([...load, 'EARLY', '120000']);
  assert.deepEqual(refresh.slice(0, 2), ['REFRESH', '<p>page</p>']);
  // The database changed meanwhile: what the slow loader brings is old and is not stored.
  assert.equal(await client.sendCommand(['APP.CACHE.INVALIDATE', key]), 1);
  assert.equal(await client.sendCommand(['APP.CACHE.FILL', key, refresh[2], '<p>old</p>', 'EX', '60']), 0);

  // The database is down: nobody asks it again for a second.
  const [, , failed] = await client.sendCommand(load);
  assert.equal(await client.sendCommand(['APP.CACHE.RELEASE', key, failed, 'BACKOFF', '1000']), 1);
  assert.equal((await client.sendCommand(load))[0], 'BUSY');
}

// The cluster client is told the key, whether a replica will do, and then the whole call.
async function clusterCalls(rootUrl, RESP) {
  const cluster = createCluster({ rootNodes: [{ url: rootUrl }], RESP });
  await cluster.connect();
  const send = (...args) => cluster.sendCommand(args[1], false, args);
  const before = await moved(cluster);
  const prefix = `example:${randomUUID()}`;
  await Promise.all(Array.from({ length: 30 }, async (_, n) => {
    assert.equal((await send('APP.RATELIMIT', `${prefix}:limit:${n}`, '5', 'EX', '60'))[0], 1);
    const id = await send('APP.SESSION.CREATE', `${prefix}:sessions:${n}`, 'EX', '60');
    assert.equal(await send('APP.SESSION.GET', `${prefix}:sessions:${n}`, id), '{}');
    assert.equal((await send('APP.LOCK', `${prefix}:lock:${n}`, randomUUID(), 'EX', '5'))[0], 1);
  }));
  assert.equal(await moved(cluster), before); // each call went to the right node at once

  // For WAIT: a connection of its own to the node that has the key. (Should the key move, the call
  // ends with MOVED: ask for the node again.)
  const key = `${prefix}:lock:waiting`;
  const waiter = (await cluster.getNodeClientForKey(key)).duplicate();
  await waiter.connect();
  const [held] = await waiter.sendCommand(['APP.LOCK', key, randomUUID(), 'EX', '5', 'WAIT', '10000']);
  assert.equal(held, 1);
  waiter.destroy();
  cluster.destroy();
}

async function moved(cluster) {
  const errors = await Promise.all(cluster.masters.map(async (master) =>
    (await cluster.nodeClient(master)).sendCommand(['INFO', 'errorstats'])));
  return errors.reduce((sum, text) => sum + Number(/errorstat_MOVED:count=(\d+)/.exec(text)?.[1] ?? 0), 0);
}

for (const RESP of [2, 3]) {
  const name = `node-redis RESP${RESP}`;
  const prefix = `example:${randomUUID()}`;
  const client = createClient({ url, RESP });
  await client.connect();
  await rateLimit(client, prefix);
  await sessions(client, prefix);
  await locks(client, prefix);
  if ((await client.sendCommand(['COMMAND', 'INFO', 'APP.CACHE.GETORLOAD']))[0]) {
    await cache(client, prefix);
  } else {
    console.log(`SKIPPED ${name}: the cache, which this server's module does not have`);
  }
  console.log(`PASSED ${name} [${version}]`);
  client.destroy();
}
if (process.env.CLUSTER_URL) {
  for (const RESP of [2, 3]) {
    await clusterCalls(process.env.CLUSTER_URL, RESP);
    console.log(`PASSED node-redis cluster RESP${RESP} [${version}]`);
  }
} else {
  console.log('SKIPPED node-redis cluster: CLUSTER_URL is not set');
}
