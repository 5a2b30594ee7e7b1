// Writes a report that must be made by one process at a time.
//
//   npm run worker

import { randomUUID } from 'node:crypto';
import { pathToFileURL } from 'node:url';
import { Store } from './db.js';
import { connect, keys } from './redis.js';

const LIFETIME_SECONDS = '30';
const WAIT_MS = '20000';

// Takes the lock, waiting in line for it; makes the report and writes it with the fence. Returns
// 'written', 'outdated' (our lock ran out and somebody newer has written) or 'busy'.
export async function writeReport({ redis, waiting }, store, make) {
  // A new token for each hold. Should the connection be lost, asking again with it is the same hold.
  const token = randomUUID();
  const key = keys.reportLock();
  const [held, fence] = await waiting.sendCommand(['APP.LOCK', key, token, 'EX', LIFETIME_SECONDS, 'WAIT', WAIT_MS]);
  if (held !== 1) return 'busy';
  try {
    const body = await make();
    return store.putReport('daily', fence, body) ? 'written' : 'outdated';
  } finally {
    // Hands the lock to the next in line. Over the shared connection: one of the pool may be waiting.
    await redis.sendCommand(['APP.UNLOCK', key, token]);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const store = new Store(process.env.DATABASE ?? 'webapp.sqlite');
  const connections = await connect(process.env.REDIS_URL ?? 'redis://localhost:6379');
  console.log(await writeReport(connections, store, async () => `Report of ${new Date().toISOString()}`));
  connections.close();
  store.close();
}
