-- Forget an endpoint with all that is on its way there.
-- KEYS: endpoints, lanes, at, tries, health, dead, lead   ARGV: id, how the keys of its lanes begin
-- Returns 1, or 0 if there was none.
for _, name in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  redis.call('UNLINK', ARGV[2] .. name)
end
redis.call('UNLINK', unpack(KEYS, 2))
return redis.call('HDEL', KEYS[1], ARGV[1])
