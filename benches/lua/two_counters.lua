-- Sliding window estimated from two counters: KEYS[1] hash of window number to count, ARGV[1] limit,
-- ARGV[2] window in ms. The previous window counts by its overlap. Replies {allowed, remaining}.
local limit = tonumber(ARGV[1])
local window = tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local number = math.floor(now / window)
local counts = redis.call('HMGET', KEYS[1], number - 1, number)
local overlap = 1 - (now % window) / window
local estimate = tonumber(counts[1] or 0) * overlap + tonumber(counts[2] or 0)
if estimate + 1 > limit then
    return {0, 0}
end
redis.call('HINCRBY', KEYS[1], number, 1)
redis.call('HDEL', KEYS[1], number - 2)
redis.call('PEXPIRE', KEYS[1], 2 * window)
return {1, math.floor(limit - estimate - 1)}
