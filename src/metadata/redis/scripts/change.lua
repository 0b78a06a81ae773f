-- Replaces or removes a record that has the expected version, together with its entry in the expiry
-- index, and notes garbage.
-- KEYS: record, expiry index, garbage. ARGV: expected version, new value ('' removes), member,
-- expires_at ('' when it never expires), garbage ('' for none), when that is due.
-- Gives 1 when it was done, 0 when the version is another, -1 when there is no record.

-- Versions are compared as text: Lua's numbers are doubles and lose digits beyond 2^53.
local version = ARGV[1] .. '\n'
local found = redis.call('GETRANGE', KEYS[1], 0, #version - 1)
if found == '' then
    redis.call('ZREM', KEYS[2], ARGV[3])
    return -1
end
if found ~= version then
    return 0
end
if ARGV[2] == '' then
    redis.call('DEL', KEYS[1])
else
    redis.call('SET', KEYS[1], ARGV[2])
end
if ARGV[4] == '' then
    redis.call('ZREM', KEYS[2], ARGV[3])
else
    redis.call('ZADD', KEYS[2], ARGV[4], ARGV[3])
end
if ARGV[5] ~= '' then
    redis.call('ZADD', KEYS[3], ARGV[6], ARGV[5])
end
return 1
