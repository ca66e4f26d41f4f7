-- Strike off what was dealt with, unless it has become another by now.
-- KEYS: what   ARGV: as it was
if redis.call('GET', KEYS[1]) == ARGV[1] then
  redis.call('DEL', KEYS[1])
end
