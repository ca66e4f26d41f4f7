-- May a call leave? All workers ask here, by one clock; who may not is told when to ask again.
-- KEYS: calls, granted, line, due, state   ARGV: ms now or '' for the server's clock, who asks, turn (0 first), id of the
--   leave, calls allowed (0: any), window ms, share of the calls that others keep, a leave's life ms, a probe's life ms,
--   longest wait ms
-- Returns 0 and grants the leave, or the ms to wait.
local calls, granted, line, due, state, who = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], ARGV[2]
local time = redis.call('TIME')
local now = tonumber(ARGV[1]) or time[1] * 1000 + math.floor(time[2] / 1000)
local said = redis.call('HMGET', state, 'parked', 'probe', 'limit', 'window')
local start, probe = math.max(now, tonumber(said[1] or 0)), tonumber(said[2] or -1)
local limit, window = tonumber(said[3] or ARGV[5]), tonumber(said[4] or ARGV[6])
redis.call('ZREMRANGEBYSCORE', granted, '-inf', now)
local held, ahead, gap = redis.call('ZCARD', granted), math.floor(limit * ARGV[7]), 0
local function sent(nth) -- when the nth call before now was sent
  return tonumber(redis.call('ZREVRANGE', calls, nth - 1, nth - 1, 'WITHSCORES')[2] or 0)
end
local function free(others) -- when a call may leave before which so many others leave
  if limit == 0 then
    return start
  end
  local before = held + others
  local at = math.max(start, sent(limit - before % limit) + window) + math.floor(before / limit) * window
  return math.max(at, math.max(start, sent(1) + gap) + before * gap)
end
local gone = redis.call('ZRANGEBYSCORE', due, '-inf', now - 300000, 'LIMIT', 0, 100) -- they came no more
if #gone > 0 then
  redis.call('ZREM', line, unpack(gone))
  redis.call('ZREM', due, unpack(gone))
end
redis.call('ZADD', line, ARGV[3] * 1e13 + tonumber(redis.call('ZSCORE', line, who) or now) % 1e13, who)
local rank = redis.call('ZRANK', line, who)
if limit > 0 and redis.call('ZCARD', line) > limit then -- they leave one by one, lest all of them run into a penalty
  gap = math.floor(0.8 * window / limit)
end
for _, other in ipairs(redis.call('ZRANGEBYSCORE', due, now - 1000, now, 'LIMIT', 0, 100)) do -- on their way here
  ahead = ahead + ((redis.call('ZRANK', line, other) or rank) < rank and 1 or 0)
end
if free(ahead) <= now and (probe < 0 or (probe <= now and held == 0)) then
  redis.call('ZREM', line, who)
  redis.call('ZREM', due, who)
  redis.call('ZADD', granted, now + ARGV[8], ARGV[4])
  redis.call('PEXPIRE', granted, ARGV[8])
  if probe >= 0 then
    redis.call('HSET', state, 'probe', now + ARGV[9])
  end
  return 0
end
-- A little early, so that no place is lost because those ahead don't come; and never all at once.
local mine, longest = math.max(rank, ahead), math.floor(ARGV[10] * (0.5 + rank % 997 / 1994))
local told = math.min(free(mine), free(math.floor(mine * 7 / 8)) + 1000)
told = math.min((told > now and told or now + 250) + 5 * rank, now + longest)
redis.call('ZADD', due, told, who)
redis.call('PEXPIRE', line, ARGV[10] + 300000)
redis.call('PEXPIRE', due, ARGV[10] + 300000)
return told - now
