-- For redis_exporter's option -script: all counters of the module, without the prefix appkit_.
-- The exporter wants names and numbers in turn, all of them text.
local metrics = {}
for name, number in string.gmatch(redis.call('INFO', 'appkit'), 'appkit_([%w_]+):(%d+)') do
    metrics[#metrics + 1] = name
    metrics[#metrics + 1] = number
end
return metrics
