// An app of its own for each test: own database, own keys (database 0 is shared: the users' numbers
// are not, so owners never meet), listening on a free port.

import { randomInt, randomUUID } from 'node:crypto';
import { createApp, RULES } from '../src/app.js';
import { Store } from '../src/db.js';
import { connect } from '../src/redis.js';

const url = process.env.REDIS_URL ?? 'redis://localhost:6379';

export async function startApp(t, rules = {}) {
  const connections = await connect(url);
  const store = new Store();
  const names = { alice: `alice-${randomUUID()}`, bob: `bob-${randomUUID()}` };
  // Numbers that no other test has used.
  store.db.prepare('INSERT INTO users (id, name, salt, hash) VALUES (?, ?, ?, ?)').run([randomInt(2 ** 40), randomUUID(), Buffer.alloc(1), Buffer.alloc(1)]);
  for (const name of Object.values(names)) store.addUser(name, 'secret');
  const article = randomInt(2 ** 40);
  store.putArticle(article, 'Hello', 'first');
  // Tests come from one address and may be many.
  const app = createApp(connections, store, { rules: { ...RULES, loginByAddress: { limit: 10_000, windowMs: 1000 }, ...rules } });
  const server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
    connections.close();
    store.close();
  });
  return { base: `http://127.0.0.1:${server.address().port}`, connections, store, names, article };
}

// A browser without a screen: keeps the cookie, does not follow redirects.
export class Device {
  cookie = '';

  constructor(base, name = 'test') {
    this.base = base;
    this.name = name;
  }

  async #send(path, options) {
    const headers = { cookie: this.cookie, 'user-agent': this.name, ...options.headers };
    const response = await fetch(this.base + path, { redirect: 'manual', ...options, headers });
    const set = response.headers.get('set-cookie');
    if (set) this.cookie = set.split(';')[0];
    return response;
  }

  get(path) {
    return this.#send(path, {});
  }

  post(path, form = {}, headers = {}) {
    return this.#send(path, { method: 'POST', body: new URLSearchParams(form), headers });
  }

  logIn(name, password = 'secret') {
    return this.post('/login', { name, password });
  }

  async loggedIn() {
    return (await this.get('/account')).status === 200;
  }
}
