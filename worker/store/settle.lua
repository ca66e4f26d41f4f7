#!lua flags=allow-oom
-- Write down how a lane fared: what is done leaves it, the lane is due again at once, later, or not at all.
-- KEYS: endpoints, lanes, tries, health, dead, lane   ARGV: id, name, now ms, silence ms after which a taken event has
-- everything due, forgotten, dead kept, place failed or '', how, when to try again in ms or '' to give up, place done ...
-- Events are taken off the front only if they are there: a second call changes nothing but the counters. A Redis that
-- is full takes this too: what could not be written down would be sent again.
local name, now, failed, forgotten = ARGV[2], ARGV[3], ARGV[7], tonumber(ARGV[5])
local health, lane = KEYS[4], KEYS[6]
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  return
end
local function off()
  redis.call('HDEL', KEYS[3], name)
  redis.call('HINCRBY', health, 'queued', -1)
  return redis.call('LPOP', lane)
end
local delivered = -forgotten
for i = 10, #ARGV do
  if redis.call('LINDEX', lane, 0) == ARGV[i] then
    off()
    delivered = delivered + 1
  end
end
redis.call('HINCRBY', health, 'forgotten', forgotten)
if delivered > 0 then
  local was = redis.call('HMGET', health, 'failing', 'taken_ms')
  redis.call('HINCRBY', health, 'delivered', delivered)
  redis.call('HSET', health, 'failing', 0, 'taken_ms', now)
  if tonumber(was[1] or 0) > 0 and now - (was[2] or 0) >= tonumber(ARGV[4]) then
    redis.call('ZUNIONSTORE', KEYS[2], 1, KEYS[2], 'WEIGHTS', 0) -- it is back
  end
end
local again = now
if failed ~= '' and redis.call('LINDEX', lane, 0) == failed then
  redis.call('HINCRBY', health, 'failed', 1)
  redis.call('HINCRBY', health, 'failing', 1)
  if ARGV[9] ~= '' then
    again = ARGV[9]
    redis.call('HINCRBY', KEYS[3], name, 1)
  else
    redis.call('RPUSH', KEYS[5], off())
    redis.call('LTRIM', KEYS[5], -ARGV[6], -1)
    redis.call('HINCRBY', health, 'given_up', 1)
  end
end
redis.call('HSET', health, 'answer', failed ~= '' and ARGV[8] or 'taken', 'tried_ms', now)
if redis.call('LLEN', lane) == 0 then
  redis.call('ZREM', KEYS[2], name)
else
  redis.call('ZADD', KEYS[2], again, name)
end
