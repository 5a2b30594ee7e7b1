// A limiter asks one question and gets everything for the answer's headers with it.

// `rule` is { limit, windowMs }.
export async function charge(redis, key, rule) {
  const [allowed, , remaining, retryAfterMs, , nextMs] = await redis.sendCommand(['APP.RATELIMIT', key, ...words(rule)]);
  return { allowed: allowed === 1, remaining, retryAfterMs, nextMs };
}

// Gives back what a call was charged that turned out to be none to count.
export async function refund(redis, key, rule) {
  await redis.sendCommand(['APP.RATELIMIT.REFUND', key, ...words(rule)]);
}

function words({ limit, windowMs }) {
  return [String(limit), 'PX', String(windowMs)];
}

// The header fields of the IETF draft (RateLimit, RateLimit-Policy) and, for a refusal, Retry-After:
// whole seconds, rounded up, so that who waits that long is let in.
export function setHeaders(res, name, { limit, windowMs }, { allowed, remaining, retryAfterMs, nextMs }) {
  res.setHeader('RateLimit-Policy', `"${name}";q=${limit};w=${Math.ceil(windowMs / 1000)}`);
  res.setHeader('RateLimit', `"${name}";r=${remaining};t=${Math.ceil(nextMs / 1000)}`);
  if (!allowed) res.setHeader('Retry-After', String(Math.ceil(retryAfterMs / 1000)));
}

// Express middleware that refuses with 429; `keyOf` tells whom a request is charged to.
export function limited(redis, name, rule, keyOf) {
  return async (req, res, next) => {
    const reply = await charge(redis, keyOf(req), rule);
    setHeaders(res, name, rule, reply);
    if (reply.allowed) return next();
    res.status(429).send('Too many requests\n');
  };
}
