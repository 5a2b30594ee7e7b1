-- Makes a session and indexes it: KEYS[1] session, KEYS[2] set of the user's sessions, ARGV[1] id,
-- ARGV[2] JSON, ARGV[3] idle timeout in ms. The index lives as long as its youngest session.
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('SADD', KEYS[2], ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return ARGV[1]
