// Sessions of a user are one key; so are those of a visitor who has not logged in. The cookie is
// `<owner>.<id>`: the owner finds the key, the id the session. An owner is a user's number, or a
// random name for a visitor.

import { parse, serialize } from 'cookie';
import { randomUUID } from 'node:crypto';
import { keys } from './redis.js';

const IDLE_SECONDS = '1800';
const MAX_AGE_MS = String(30 * 24 * 3600 * 1000);
const MOST_DEVICES = '10';
// A visitor's requests that are under way with the old id, and a ROTATE that is sent again.
const GRACE_MS = '10000';

export class Sessions {
  constructor(redis, { secureCookies = false } = {}) {
    this.redis = redis;
    this.secureCookies = secureCookies;
  }

  // Express middleware: what the cookie names is `req.session`, or null.
  middleware() {
    return async (req, res, next) => {
      req.session = await this.#load(req);
      next();
    };
  }

  async #load(req) {
    const [, owner, id] = /^(u[0-9]{1,15}|v[0-9a-f-]{36})\.(.{16,256})$/.exec(parse(req.headers.cookie ?? '').session ?? '') ?? [];
    if (!owner) return null;
    const document = await this.redis.sendCommand(['APP.SESSION.TOUCH', keys.sessions(owner), id]);
    return document === null ? null : { owner, id, user: owner[0] === 'u' ? Number(owner.slice(1)) : null, data: JSON.parse(document) };
  }

  #setCookie(res, owner, id) {
    const value = `${owner}.${id}`;
    res.setHeader('Set-Cookie', serialize('session', value, { httpOnly: true, sameSite: 'lax', secure: this.secureCookies, path: '/' }));
  }

  clearCookie(res) {
    res.setHeader('Set-Cookie', serialize('session', '', { httpOnly: true, sameSite: 'lax', path: '/', maxAge: 0 }));
  }

  async #create(res, owner, data) {
    const id = await this.redis.sendCommand(['APP.SESSION.CREATE', keys.sessions(owner), 'EX', IDLE_SECONDS,
      'MAXAGE', MAX_AGE_MS, 'LIMIT', MOST_DEVICES, 'DATA', JSON.stringify(data)]);
    this.#setCookie(res, owner, id);
    return { owner, id, user: owner[0] === 'u' ? Number(owner.slice(1)) : null, data };
  }

  // Changes the session's data by a merge patch; a visitor without a session gets one. False: the
  // session has ended meanwhile, and stays so.
  async update(req, res, patch) {
    if (!req.session) {
      req.session = await this.#create(res, `v${randomUUID()}`, patch);
      return true;
    }
    const { owner, id } = req.session;
    const document = await this.redis.sendCommand(['APP.SESSION.UPDATE', keys.sessions(owner), id, JSON.stringify(patch)]);
    if (document === null) return false;
    req.session.data = JSON.parse(document);
    return true;
  }

  // A log-in never keeps the id from before it, which somebody else may know. Who is logged in
  // already gets a new id for the same session; a visitor's session moves to the user's key.
  async logIn(req, res, user, device) {
    const before = req.session;
    if (before?.user === user) return this.rotate(req, res);
    const carried = before && before.user === null ? before.data : {};
    req.session = await this.#create(res, `u${user}`, { ...carried, device });
    if (before) await this.redis.sendCommand(['APP.SESSION.REVOKE', keys.sessions(before.owner), before.id]);
    return true;
  }

  async rotate(req, res) {
    const { owner, id } = req.session;
    const rotated = await this.redis.sendCommand(['APP.SESSION.ROTATE', keys.sessions(owner), id, 'GRACE', GRACE_MS]);
    if (rotated === null) return false;
    this.#setCookie(res, owner, rotated);
    req.session.id = rotated;
    return true;
  }

  async devices({ owner, id }) {
    const list = await this.redis.sendCommand(['APP.SESSION.LIST', keys.sessions(owner), 'CURRENT', id]);
    return list.map((each) => ({ ...each, data: JSON.parse(each.data) }));
  }

  // Ends one device of this user. A handle is looked up under the user's own key, so it can be in a
  // page and nobody ends another user's session with it.
  revokeHandle({ owner }, handle) {
    return this.redis.sendCommand(['APP.SESSION.REVOKE', keys.sessions(owner), 'HANDLE', handle]);
  }

  logOut({ owner, id }) {
    return this.redis.sendCommand(['APP.SESSION.REVOKE', keys.sessions(owner), id]);
  }

  logOutEverywhere({ owner }) {
    return this.redis.sendCommand(['APP.SESSION.REVOKEALL', keys.sessions(owner)]);
  }

  logOutOthers({ owner, id }) {
    return this.redis.sendCommand(['APP.SESSION.REVOKEALL', keys.sessions(owner), 'EXCEPT', id]);
  }
}
