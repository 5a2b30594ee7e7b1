-- Changes members of a session that is still there: KEYS[1] session, ARGV[1] JSON object of new
-- members, ARGV[2] idle timeout in ms. Replies the new document or nil.
local text = redis.call('GET', KEYS[1])
if not text then
    return nil
end
local document = cjson.decode(text)
for name, value in pairs(cjson.decode(ARGV[1])) do
    if value == cjson.null then
        document[name] = nil
    else
        document[name] = value
    end
end
text = cjson.encode(document)
redis.call('SET', KEYS[1], text, 'PX', ARGV[2])
return text
