// The app: routes, and nothing that knows a command of Redis.

import express from 'express';
import { Busy, Cache } from './cache.js';
import * as pages from './pages.js';
import { charge, limited, refund, setHeaders } from './ratelimit.js';
import { keys } from './redis.js';
import { Sessions } from './sessions.js';

export const RULES = {
  loginByAccount: { limit: 5, windowMs: 60_000 },
  loginByAddress: { limit: 100, windowMs: 60_000 },
  api: { limit: 10, windowMs: 10_000 },
};
const ARTICLE_SECONDS = 60;

export function createApp(connections, store, { rules = RULES, secureCookies = false } = {}) {
  const { redis } = connections;
  const sessions = new Sessions(redis, { secureCookies });
  const cache = new Cache(connections);
  const app = express();
  app.disable('x-powered-by');
  app.use(express.urlencoded({ extended: false, limit: '10kb' }), sameOrigin, sessions.middleware());

  app.get('/', (req, res) => {
    res.send(pages.home(req.session, req.session?.user && store.userName(req.session.user)));
  });

  app.post('/cart', async (req, res) => {
    const item = String(req.body?.item ?? '').slice(0, 100);
    if (!(await sessions.update(req, res, { cart: { [item]: 1 } }))) return ended(res);
    res.redirect(303, '/');
  });

  addLogin(app, { redis, store, sessions, rules });
  addAccount(app, { store, sessions });

  // Who is logged in is known by that, everybody else by the address: a visitor can have any number
  // of sessions.
  const caller = (req) => keys.api(req.session?.user ? req.session.owner : req.ip);
  app.get('/api/time', limited(redis, 'api', rules.api, caller), (req, res) => {
    res.json({ now: new Date().toISOString() });
  });

  app.get('/articles/:id', async (req, res) => {
    const id = Number(req.params.id);
    const html = await cache.getOrLoad(keys.article(id), ARTICLE_SECONDS, async () => {
      const article = store.article(id);
      return article ? pages.article(article) : '';
    });
    if (html === '') return res.status(404).send('No such article\n');
    res.send(html);
  });

  app.post('/articles/:id', loggedIn, async (req, res) => {
    const id = Number(req.params.id);
    store.putArticle(id, String(req.body?.title), String(req.body?.body));
    await cache.invalidate(keys.article(id)); // after the write, so that nobody loads what was before it
    res.redirect(303, `/articles/${id}`);
  });

  app.use((error, req, res, next) => {
    if (res.headersSent) return next(error);
    if (error instanceof Busy) {
      return res.status(503).set('Retry-After', String(Math.ceil(error.retryAfterMs / 1000))).send('Busy\n');
    }
    console.error(error);
    res.status(500).send('Error\n');
  });
  return app;
}

// Forms of other sites do not act for our users. (The cookie is SameSite=Lax as well.)
function sameOrigin(req, res, next) {
  const { origin, host } = req.headers;
  if (req.method === 'POST' && origin !== undefined && (!URL.canParse(origin) || new URL(origin).host !== host)) {
    return res.status(403).send('Not from this site\n');
  }
  next();
}

function loggedIn(req, res, next) {
  if (req.session?.user) return next();
  if (req.method === 'GET') return res.redirect(303, '/login');
  res.status(401).send('Log in first\n');
}

function ended(res) {
  res.status(401).send('The session has ended\n');
}

function addLogin(app, { redis, store, sessions, rules }) {
  app.get('/login', (req, res) => res.send(pages.login()));

  app.post('/login', limited(redis, 'address', rules.loginByAddress, (req) => keys.loginByAddress(req.ip)), async (req, res) => {
    const name = String(req.body?.name ?? '').slice(0, 100);
    const key = keys.loginByAccount(name);
    // Charged before the password is looked at, so that no number of attempts at once gets past.
    const reply = await charge(redis, key, rules.loginByAccount);
    if (!reply.allowed) {
      setHeaders(res, 'account', rules.loginByAccount, reply);
      return res.status(429).send(pages.login('Too many attempts. Try again later.'));
    }
    const user = store.checkPassword(name, String(req.body?.password ?? ''));
    if (user === null) return res.status(401).send(pages.login('Wrong name or password.'));
    await refund(redis, key, rules.loginByAccount); // only failures count
    if (!(await sessions.logIn(req, res, user, req.headers['user-agent'] ?? '?'))) return ended(res);
    res.redirect(303, '/account');
  });
}

function addAccount(app, { store, sessions }) {
  app.get('/account', loggedIn, async (req, res) => {
    res.send(pages.account(store.userName(req.session.user), await sessions.devices(req.session)));
  });

  app.post('/account/devices/:handle/end', loggedIn, async (req, res) => {
    await sessions.revokeHandle(req.session, req.params.handle);
    res.redirect(303, '/account');
  });

  app.post('/logout-others', loggedIn, async (req, res) => {
    await sessions.logOutOthers(req.session);
    res.redirect(303, '/account');
  });

  for (const [path, end] of [['/logout', 'logOut'], ['/logout-everywhere', 'logOutEverywhere']]) {
    app.post(path, loggedIn, async (req, res) => {
      await sessions[end](req.session);
      sessions.clearCookie(res);
      res.redirect(303, '/');
    });
  }
}
