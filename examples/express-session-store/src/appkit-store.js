// A store for express-session. A session id is `<owner>.<secret>`: the owner names the key that holds
// all of its sessions, so that "log out everywhere" is one step. A visitor has an owner of his own;
// logging in moves the session to the user's key.

import { Store } from 'express-session';
import { randomBytes } from 'node:crypto';

// How long a session lives unused where its cookie has no maxAge (it ends with the browser).
const DEFAULT_IDLE_MS = 24 * 3600 * 1000;

export class AppkitStore extends Store {
  // The ids that were made in a request and are not stored yet. Only these may be created: any other
  // id that is not there belongs to a session that has ended, and a slow request must not revive it.
  #fresh = new WeakMap();
  #owners = new WeakMap();

  // `redis` is a node-redis client; `maxAgeMs` ends a session however much it is used.
  constructor({ redis, prefix = 'sessions:', maxAgeMs = 30 * 24 * 3600 * 1000, maxSessions = 20 }) {
    super();
    this.redis = redis;
    this.prefix = prefix;
    this.maxAgeMs = maxAgeMs;
    this.maxSessions = maxSessions;
    // For session({ genid: store.genid }).
    this.genid = (req) => {
      const owner = this.#owners.get(req) ?? `v${randomBytes(18).toString('base64url')}`;
      const sid = `${owner}.${randomBytes(24).toString('base64url')}`;
      this.#fresh.set(req, sid);
      return sid;
    };
  }

  // After the password was right: a new session of the user with what the visitor had, and the
  // visitor's own ends. `user` is letters, digits, `_` and `-`.
  logIn(req, user) {
    const mine = /^v/.test(req.sessionID) || req.sessionID.startsWith(`u${user}.`);
    const { cookie, ...carried } = mine ? req.session : {}; // nothing of another user
    this.#owners.set(req, `u${user}`);
    return new Promise((resolve, reject) => {
      req.session.regenerate((error) => {
        if (error) return reject(error);
        Object.assign(req.session, carried);
        req.session.save((failed) => (failed ? reject(failed) : resolve()));
      });
    });
  }

  // The sessions of the one that this is a session of, newest first, for an account page.
  async devices(sid) {
    const [key, id] = this.#split(sid);
    const list = await this.redis.sendCommand(['APP.SESSION.LIST', key, 'CURRENT', id]);
    return list.map((each) => ({ ...each, data: JSON.parse(each.data) }));
  }

  // Ends all sessions of the owner, this one too unless `keepThis`. How many there were.
  logOutEverywhere(sid, { keepThis = false } = {}) {
    const [key, id] = this.#split(sid);
    return this.redis.sendCommand(['APP.SESSION.REVOKEALL', key, ...(keepThis ? ['EXCEPT', id] : [])]);
  }

  get(sid, callback) {
    answer(callback, async () => {
      const [key, id] = this.#split(sid);
      const document = await this.redis.sendCommand(['APP.SESSION.GET', key, id]);
      return document === null ? null : JSON.parse(document);
    });
  }

  set(sid, session, callback) {
    answer(callback, async () => {
      const [key, id] = this.#split(sid);
      const document = JSON.stringify(session);
      const idle = String(idleMs(session));
      if (this.#fresh.get(session.req) === sid) {
        await this.redis.sendCommand(['APP.SESSION.CREATE', key, 'PX', idle, 'MAXAGE', String(this.maxAgeMs),
          'ID', id, 'LIMIT', String(this.maxSessions), 'DATA', document]);
        this.#fresh.delete(session.req);
        return;
      }
      // Both do nothing where the session has ended. The second is for a maxAge that was changed.
      await Promise.all([
        this.redis.sendCommand(['APP.SESSION.UPDATE', key, id, document, 'REPLACE']),
        this.redis.sendCommand(['APP.SESSION.TOUCH', key, id, 'PX', idle]),
      ]);
    });
  }

  touch(sid, session, callback) {
    answer(callback, async () => {
      const [key, id] = this.#split(sid);
      await this.redis.sendCommand(['APP.SESSION.TOUCH', key, id, 'PX', String(idleMs(session))]);
    });
  }

  destroy(sid, callback) {
    answer(callback, async () => {
      const [key, id] = this.#split(sid);
      await this.redis.sendCommand(['APP.SESSION.REVOKE', key, id]);
    });
  }

  // Key and id. What is not of our form (another store's cookie) names a session that is not there.
  #split(sid) {
    const [, owner, id] = /^([uv][\w-]{1,64})\.([\w-]{32})$/.exec(sid) ?? [, 'none', 'none'];
    return [this.prefix + owner, id];
  }
}

function idleMs(session) {
  return session.cookie.originalMaxAge > 0 ? Math.ceil(session.cookie.originalMaxAge) : DEFAULT_IDLE_MS;
}

function answer(callback, work) {
  work().then((result) => callback?.(null, result), (error) => callback?.(error));
}
