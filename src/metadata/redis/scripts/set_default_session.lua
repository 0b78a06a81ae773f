-- Changes the default session of a user if it is what the caller expects.
-- KEYS: default session. ARGV: new id, expected id (absent when there must be none).
-- Gives 1 when it was changed, else 0.
if redis.call('GET', KEYS[1]) ~= (ARGV[2] or false) then
    return 0
end
redis.call('SET', KEYS[1], ARGV[1])
return 1
