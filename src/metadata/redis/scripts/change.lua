-- Creates, replaces or removes a record if it is in the version that is expected, together with all that
-- goes with it.
-- KEYS: record, expiry index; with an artifact also garbage, index of its partition, totals.
-- ARGV: expected version ('' when there must be no record), new value ('' removes), member of the expiry
-- index, expires_at ('' when it never expires); with an artifact also garbage ('' for none), when that is
-- due, scope, by how much the number and the bytes of its artifacts grow, how many entries leave the index,
-- those entries, and the entries that come in.
-- Gives 1 when it was done, 0 when the version is another, -1 when there is no record.

-- Versions are compared as text: Lua's numbers are doubles and lose digits beyond 2^53.
local version = ARGV[1] .. ' '
local found = redis.call('GETRANGE', KEYS[1], 0, #version - 1)
if ARGV[1] == '' then
    if found ~= '' then
        return 0
    end
elseif found == '' then
    redis.call('ZREM', KEYS[2], ARGV[3])
    return -1
elseif found ~= version then
    return 0
end

if #KEYS > 2 then
    -- Sums come first, of these the bytes: only they can be refused, and what a script did stays done.
    for _, part in ipairs({ { ':bytes', ARGV[9] }, { ':artifacts', ARGV[8] } }) do
        local field = ARGV[7] .. part[1]
        if redis.call('HINCRBY', KEYS[5], field, part[2]) == 0 then
            redis.call('HDEL', KEYS[5], field)
        end
    end
    -- A call takes no more arguments than fit on Lua's stack.
    local entries, chunk = 11 + ARGV[10], 1000
    for first = 11, entries - 1, chunk do
        redis.call('ZREM', KEYS[4], unpack(ARGV, first, math.min(first + chunk, entries) - 1))
    end
    for first = entries, #ARGV, chunk do
        local members = {}
        for i = first, math.min(first + chunk - 1, #ARGV) do
            members[#members + 1] = 0
            members[#members + 1] = ARGV[i]
        end
        redis.call('ZADD', KEYS[4], unpack(members))
    end
    if ARGV[5] ~= '' then
        redis.call('ZADD', KEYS[3], ARGV[6], ARGV[5])
    end
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
return 1
