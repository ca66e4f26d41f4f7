-- Write down how a lane fared: what is done leaves it, the lane is due again at once, later, or not at all.
-- KEYS: lanes, tries, health, dead, lane
-- ARGV: name, now ms, failure or '', when to try again in ms or '' to give up, forgotten, dead kept, place done ...
-- Events are taken off the front only if they are there: a second call changes nothing but the counters.
local name, now, failure = ARGV[1], ARGV[2], ARGV[3]
local delivered = -tonumber(ARGV[5])
for i = 7, #ARGV do
  if redis.call('LINDEX', KEYS[5], 0) == ARGV[i] then
    redis.call('LPOP', KEYS[5])
    redis.call('HDEL', KEYS[2], name)
    delivered = delivered + 1
  end
end
local again = now
if failure ~= '' then
  redis.call('HINCRBY', KEYS[3], 'failed', 1)
  redis.call('HINCRBY', KEYS[3], 'failing', 1)
  if ARGV[4] ~= '' then
    again = ARGV[4]
    redis.call('HINCRBY', KEYS[2], name, 1)
  else
    redis.call('RPUSH', KEYS[4], redis.call('LPOP', KEYS[5]) or '')
    redis.call('LTRIM', KEYS[4], -ARGV[6], -1)
    redis.call('HDEL', KEYS[2], name)
    redis.call('HINCRBY', KEYS[3], 'given_up', 1)
  end
end
if tonumber(ARGV[5]) > 0 then
  redis.call('HINCRBY', KEYS[3], 'forgotten', ARGV[5])
end
if delivered > 0 then
  redis.call('HINCRBY', KEYS[3], 'delivered', delivered)
  if failure == '' and tonumber(redis.call('HGET', KEYS[3], 'failing') or '0') > 0 then
    redis.call('HSET', KEYS[3], 'failing', 0)
    redis.call('ZUNIONSTORE', KEYS[1], 1, KEYS[1], 'WEIGHTS', 0) -- it is back: everything that waits is due
  end
end
redis.call('HSET', KEYS[3], 'answer', failure ~= '' and failure or 'taken', 'tried_ms', now)
if redis.call('LLEN', KEYS[5]) == 0 then
  redis.call('ZREM', KEYS[1], name)
else
  redis.call('ZADD', KEYS[1], again, name)
end
