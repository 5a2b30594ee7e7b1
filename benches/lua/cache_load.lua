-- Reads a cached value or takes the right to load it: KEYS[1] value, KEYS[2] lock, ARGV[1] token,
-- ARGV[2] lifetime of the lock in ms. Replies {'HIT', value}, {'LOAD'} or {'BUSY'}.
local value = redis.call('GET', KEYS[1])
if value then
    return {'HIT', value}
end
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) then
    return {'LOAD'}
end
return {'BUSY'}
