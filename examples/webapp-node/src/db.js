// The database, SQLite in a file or in memory. Its calls are synchronous.

import { randomBytes, scryptSync, timingSafeEqual } from 'node:crypto';
import Database from 'libsql';

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, salt BLOB NOT NULL, hash BLOB NOT NULL);
  CREATE TABLE IF NOT EXISTS articles (id INTEGER PRIMARY KEY, title TEXT NOT NULL, body TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS reports (name TEXT PRIMARY KEY, fence INTEGER NOT NULL, body TEXT NOT NULL);
`;

export class Store {
  articleReads = 0;

  constructor(file = ':memory:') {
    this.db = new Database(file);
    // The server and the worker share the file: one that finds it busy tries again for this long.
    this.db.exec('PRAGMA busy_timeout = 5000');
    this.db.exec(SCHEMA);
  }

  #run(sql, values) {
    return this.db.prepare(sql).run(values);
  }

  #get(sql, values) {
    return this.db.prepare(sql).get(values);
  }

  addUser(name, password) {
    const salt = randomBytes(16);
    this.#run('INSERT INTO users (name, salt, hash) VALUES (?, ?, ?)', [name, salt, scryptSync(password, salt, 32)]);
  }

  // The user's number, or null where name or password is wrong.
  checkPassword(name, password) {
    const user = this.#get('SELECT id, salt, hash FROM users WHERE name = ?', [name]);
    const hash = scryptSync(password, user?.salt ?? Buffer.alloc(16), 32);
    return user && timingSafeEqual(hash, Buffer.from(user.hash)) ? user.id : null;
  }

  userName(id) {
    return this.#get('SELECT name FROM users WHERE id = ?', [id])?.name;
  }

  putArticle(id, title, body) {
    this.#run('INSERT INTO articles (id, title, body) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET title = excluded.title, body = excluded.body', [id, title, body]);
  }

  article(id) {
    this.articleReads++;
    return this.#get('SELECT title, body FROM articles WHERE id = ?', [id]);
  }

  // Writes a report unless somebody with a newer lock has written it already: a worker whose lock has
  // run out while it was at work cannot overwrite what came after it.
  putReport(name, fence, body) {
    const { changes } = this.#run(
      `INSERT INTO reports (name, fence, body) VALUES (?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET fence = excluded.fence, body = excluded.body WHERE excluded.fence > fence`,
      [name, fence, body],
    );
    return changes === 1;
  }

  report(name) {
    return this.#get('SELECT fence, body FROM reports WHERE name = ?', [name]);
  }

  close() {
    this.db.close();
  }
}
