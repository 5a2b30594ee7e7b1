-- Sliding log: KEYS[1] sorted set of arrivals in µs, ARGV[1] limit, ARGV[2] window in ms, ARGV[3] what
-- makes members differ that arrive in the same microsecond (may be empty, where none do). Replies
-- {allowed, remaining, retry_after in ms}.
local limit = tonumber(ARGV[1])
local window = tonumber(ARGV[2]) * 1000
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - window))
local count = redis.call('ZCARD', KEYS[1])
if count >= limit then
    local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
    return {0, 0, math.ceil((oldest + window - now) / 1000)}
end
local arrival = string.format('%.0f', now)
redis.call('ZADD', KEYS[1], arrival, arrival .. ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {1, limit - count - 1, 0}
