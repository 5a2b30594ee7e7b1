import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { keys } from '../src/redis.js';
import { writeReport } from '../src/worker.js';
import { startApp } from './support.js';

test('workers write one after another, in the order of their fences', async (t) => {
  const { connections, store } = await startApp(t);
  let working = 0;
  const fences = [];
  const results = await Promise.all(Array.from({ length: 5 }, (_, n) => writeReport(connections, store, async () => {
    assert.equal(++working, 1);
    await sleep(20);
    fences.push(store.report('daily')?.fence ?? 0);
    working--;
    return `report ${n}`;
  })));
  assert.deepEqual(results, Array(5).fill('written'));
  assert.deepEqual(fences, fences.toSorted((a, b) => a - b));
  assert.equal(new Set(fences).size, 5);
});

test('a worker that has lost its lock does not overwrite the next one\'s report', async (t) => {
  const { connections, store } = await startApp(t);
  const result = await writeReport(connections, store, async () => {
    // It stops here for so long that its lock runs out, and another worker does the job.
    await connections.redis.del(keys.reportLock());
    assert.equal(await writeReport(connections, store, async () => 'new'), 'written');
    return 'old';
  });
  assert.equal(result, 'outdated');
  assert.equal(store.report('daily').body, 'new');
});

test('a worker that holds the lock is waited for', async (t) => {
  const { connections, store } = await startApp(t);
  const token = randomUUID();
  await connections.redis.sendCommand(['APP.LOCK', keys.reportLock(), token, 'EX', '30']);
  const waiting = writeReport(connections, store, async () => 'report');
  await sleep(100);
  assert.equal(store.report('daily') ?? null, null);
  await connections.redis.sendCommand(['APP.UNLOCK', keys.reportLock(), token]);
  assert.equal(await waiting, 'written');
});
