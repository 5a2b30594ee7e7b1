// The connections to Redis: one that all quick calls share, and a pool for calls that wait.

import { createClient, createClientPool } from 'redis';

export async function connect(url) {
  const redis = createClient({ url });
  redis.on('error', (error) => console.error('redis:', error.message)); // it connects again by itself
  // A call with WAIT keeps its connection busy until it is answered. On the shared one everything
  // behind it would wait too, the FILL or UNLOCK that it waits for included.
  const waiting = createClientPool({ url }, { minimum: 0, maximum: 20 });
  waiting.on('error', (error) => console.error('redis:', error.message));
  await Promise.all([redis.connect(), waiting.connect()]);
  const [info] = await redis.sendCommand(['COMMAND', 'INFO', 'APP.CACHE.GETORLOAD']);
  return {
    redis,
    waiting,
    hasCache: info !== null,
    close() {
      redis.destroy();
      waiting.destroy();
    },
  };
}

// All keys of the app.
export const keys = {
  sessions: (owner) => `app:sessions:${owner}`,
  loginByAccount: (name) => `app:limit:login:account:${name}`,
  loginByAddress: (address) => `app:limit:login:address:${address}`,
  api: (owner) => `app:limit:api:${owner}`,
  article: (id) => `app:cache:article:${id}`,
  reportLock: () => 'app:lock:report',
};
