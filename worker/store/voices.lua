-- A change of the gallery: one voice set or taken out, under the next number, so that readers fetch only what changed.
-- KEYS: voices, changes   ARGV: speaker id, voice or '' to take it out
-- Who was taken out keeps a number: that is how others learn of it. One who was not there makes no change.
if ARGV[2] == '' then
  if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then
    return
  end
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
end
local last = redis.call('ZREVRANGE', KEYS[2], 0, 0, 'WITHSCORES')
redis.call('ZADD', KEYS[2], (last[2] or 0) + 1, ARGV[1])
