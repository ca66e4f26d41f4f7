-- The last look before a call is sent: is its leave still good, and has no penalty begun since?
-- KEYS: calls, granted, state   ARGV: ms now or '' for the server's clock, id of the leave, window ms (0: no limit)
-- Returns the ms now and whether the call is the first after a penalty, and counts it; or minus the ms to wait.
local time = redis.call('TIME')
local now = tonumber(ARGV[1]) or time[1] * 1000 + math.floor(time[2] / 1000)
local said = redis.call('HMGET', KEYS[3], 'parked', 'window', 'probe')
local parked, window = tonumber(said[1] or 0), tonumber(said[2] or ARGV[3])
local ends = tonumber(redis.call('ZSCORE', KEYS[2], ARGV[2]) or 0)
redis.call('ZREM', KEYS[2], ARGV[2])
if parked > now or ends <= now then
  return { math.min(now - parked, -1), 0 }
end
if window > 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - window)
  redis.call('ZADD', KEYS[1], now, ARGV[2])
  redis.call('PEXPIRE', KEYS[1], window)
end
return { now, said[3] and 1 or 0 }
