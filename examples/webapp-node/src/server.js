// Starts the app on PORT (3000) of this machine (HOST for others), with the users alice and bob, password `secret`.

import { createApp } from './app.js';
import { Store } from './db.js';
import { connect } from './redis.js';

const store = new Store(process.env.DATABASE ?? 'webapp.sqlite');
for (const name of ['alice', 'bob']) {
  if (store.checkPassword(name, 'secret') === null) store.addUser(name, 'secret');
}
store.putArticle(1, 'Hello', 'The first article.');
const connections = await connect(process.env.REDIS_URL ?? 'redis://localhost:6379');
const host = process.env.HOST ?? '127.0.0.1';
const server = createApp(connections, store).listen(Number(process.env.PORT ?? 3000), host, () => {
  console.log(`http://${host}:${server.address().port}/ (alice or bob, password secret)`);
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    server.close(() => {
      connections.close();
      store.close();
    });
    server.closeIdleConnections();
  });
}
