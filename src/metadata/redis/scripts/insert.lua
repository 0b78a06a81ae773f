-- Creates a record, unless there is one, with the entry that finds it when it has expired.
-- KEYS: record, expiry index. ARGV: value, member, expires_at ('' when it never expires).
-- Gives 1 when it was created, else 0.
if redis.call('EXISTS', KEYS[1]) == 1 then
    return 0
end
redis.call('SET', KEYS[1], ARGV[1])
if ARGV[3] ~= '' then
    redis.call('ZADD', KEYS[2], ARGV[3], ARGV[2])
end
return 1
