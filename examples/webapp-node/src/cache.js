// Get a value or load it, with one load at a time whatever the number of processes and requests.

const LEASE_MS = '5000';
const WAIT_MS = '3000';
const BACKOFF_MS = '1000';

export class Busy extends Error {
  constructor(retryAfterMs) {
    super('somebody else is loading, or the loader has failed');
    this.retryAfterMs = retryAfterMs;
  }
}

export class Cache {
  #misses = new Map();

  // `hasCache` false: the server's module has no APP.CACHE, and every call loads.
  constructor({ redis, waiting, hasCache }) {
    this.redis = redis;
    this.waiting = waiting;
    this.hasCache = hasCache;
  }

  // The text at `key`, from `load` if there is none; kept for `seconds`, renewed by one caller in the
  // last tenth of that. Throws Busy, or what `load` throws.
  getOrLoad(key, seconds, load) {
    if (!this.hasCache) return load();
    // Equal calls of this process share one.
    const shared = this.#misses.get(key) ?? this.#ask(key, seconds, load).finally(() => this.#misses.delete(key));
    this.#misses.set(key, shared);
    return shared;
  }

  async #ask(key, seconds, load) {
    const call = ['APP.CACHE.GETORLOAD', key, 'LEASE', LEASE_MS, 'EARLY', String(seconds * 100)];
    let [status, value, lease, ttl] = await this.redis.sendCommand(call);
    if (status === 'BUSY') [status, value, lease, ttl] = await this.waiting.sendCommand([...call, 'WAIT', WAIT_MS]);
    if (status === 'HIT') return value;
    if (status === 'BUSY') throw new Busy(ttl);
    return this.#load(key, seconds, lease, load);
  }

  async #load(key, seconds, lease, load) {
    let value;
    try {
      value = await load();
    } catch (error) {
      // Those in line are not sent to a database that is down one after another.
      await this.redis.sendCommand(['APP.CACHE.RELEASE', key, lease, 'BACKOFF', BACKOFF_MS]);
      throw error;
    }
    // 0: invalidated meanwhile. What was loaded may be old; it is good for this answer alone.
    await this.redis.sendCommand(['APP.CACHE.FILL', key, lease, value, 'EX', String(seconds)]);
    return value;
  }

  // To be called after each change of what was loaded, and not before it.
  async invalidate(...keys) {
    if (this.hasCache) await this.redis.sendCommand(['APP.CACHE.INVALIDATE', ...keys]);
  }
}
