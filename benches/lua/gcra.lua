-- GCRA (token bucket): KEYS[1] theoretical arrival time in µs, ARGV[1] limit, ARGV[2] window in ms.
-- Replies {allowed, remaining, retry_after in ms, reset in ms}.
local limit = tonumber(ARGV[1])
local window = tonumber(ARGV[2]) * 1000
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval = window / limit
local arrival = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local next_arrival = arrival + interval
local early = next_arrival - window - now
if early > 0 then
    return {0, 0, math.ceil(early / 1000), math.ceil((arrival - now) / 1000)}
end
local lifetime = math.ceil((next_arrival - now) / 1000)
redis.call('SET', KEYS[1], string.format('%.3f', next_arrival), 'PX', lifetime)
return {1, math.floor(-early / interval), 0, lifetime}
