-- Sets KEYS[1] up for gcra.lua as if half of the limit were charged. ARGV[2]: window in ms.
local window = tonumber(ARGV[2])
local time = redis.call('TIME')
local arrival = time[1] * 1000000 + time[2] + window * 500
redis.call('SET', KEYS[1], string.format('%.3f', arrival), 'PX', math.ceil(window / 2))
return 1
