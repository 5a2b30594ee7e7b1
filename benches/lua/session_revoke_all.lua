-- Ends all sessions of a user: KEYS[1] set of ids, ARGV[1] prefix of the sessions' keys. The keys
-- that it builds are not declared, so it works on a single server only.
local ended = 0
for _, id in ipairs(redis.call('SMEMBERS', KEYS[1])) do
    ended = ended + redis.call('DEL', ARGV[1] .. id)
end
redis.call('DEL', KEYS[1])
return ended
