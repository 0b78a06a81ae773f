-- Removes those entries of a partition whose record has been missing for a while; remembers the others.
-- KEYS: index of the partition, suspects. ARGV: seconds of grace, ids.
-- Gives how many were removed.
local now = tonumber(redis.call('TIME')[1])
local removed = 0
for i = 2, #ARGV do
    local since = redis.call('HGET', KEYS[2], ARGV[i])
    if not since then
        redis.call('HSET', KEYS[2], ARGV[i], now)
    elseif now - tonumber(since) >= tonumber(ARGV[1]) then
        redis.call('ZREM', KEYS[1], ARGV[i])
        redis.call('HDEL', KEYS[2], ARGV[i])
        removed = removed + 1
    end
end
-- Nobody may list this partition again.
redis.call('EXPIRE', KEYS[2], 86400)
return removed
