-- Sliding log: KEYS[1] sorted set of arrivals, ARGV[1] limit, ARGV[2] window in ms, ARGV[3] a
-- number that makes arrivals in the same microsecond differ. Replies {allowed, remaining, retry_after in ms}.
local limit = tonumber(ARGV[1])
local window = tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
local count = redis.call('ZCARD', KEYS[1])
if count >= limit then
    local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
    return {0, 0, math.ceil(tonumber(oldest) + window - now)}
end
redis.call('ZADD', KEYS[1], now, string.format('%.3f', now) .. ':' .. ARGV[3])
redis.call('PEXPIRE', KEYS[1], window)
return {1, limit - count - 1, 0}
