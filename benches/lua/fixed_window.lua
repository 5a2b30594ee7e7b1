-- Fixed window: KEYS[1] counter, ARGV[1] limit, ARGV[2] window in ms. INCR, then PEXPIRE on the
-- first unit. Replies {allowed, remaining, ms until the window ends}.
local count = redis.call('INCR', KEYS[1])
if count == 1 then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
local limit = tonumber(ARGV[1])
if count > limit then
    return {0, 0, redis.call('PTTL', KEYS[1])}
end
return {1, limit - count, 0}
