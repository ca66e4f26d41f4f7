-- May a call leave now? By the server's clock, for all workers together.
-- KEYS: calls, penalty   ARGV: calls allowed per window (0: any), window ms, id of this call
-- Returns 0 and counts the call, or the ms to wait before asking again.
local penalty = redis.call('PTTL', KEYS[2])
if penalty > 0 then
  return penalty
end
local allowed = tonumber(ARGV[1])
if allowed == 0 then
  return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local window = tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
if redis.call('ZCARD', KEYS[1]) >= allowed then
  local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  return math.max(1, tonumber(oldest[2]) + window - now)
end
redis.call('ZADD', KEYS[1], now, ARGV[3])
redis.call('PEXPIRE', KEYS[1], window)
return 0
