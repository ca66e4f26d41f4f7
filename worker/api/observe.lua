-- What an answer told of the provider's limit, for all workers.
-- KEYS: calls, state   ARGV: ms now or '' for the server's clock, ms at which the call was sent, ms to pause (0: none),
--   '1' if a penalty is the reason; then, if the answer told it: calls used in the provider's window, its window ms,
--   calls that we leave to others anyway, calls we allow ourselves, in which window ms
local time = redis.call('TIME')
local now = tonumber(ARGV[1]) or time[1] * 1000 + math.floor(time[2] / 1000)
local said = redis.call('HMGET', KEYS[2], 'parked', 'probe')
local parked, pause = tonumber(said[1] or 0), tonumber(ARGV[3])
local is_probe = said[2] and tonumber(ARGV[2]) >= parked
if ARGV[4] == '1' then -- when it is over, one call goes ahead: somebody else's may have started the penalty anew
  -- A stranger who calls as often as we do would keep it running with us for ever: each probe waits twice as long.
  local refused = redis.call('HINCRBY', KEYS[2], 'refused', is_probe and 1 or 0)
  pause = math.min(pause * 2 ^ math.min(refused, 4), math.max(pause, 3600000))
  redis.call('HSET', KEYS[2], 'probe', 0)
elseif is_probe then
  redis.call('HDEL', KEYS[2], 'probe', 'refused')
end
if pause > 0 then
  redis.call('HSET', KEYS[2], 'parked', math.max(parked, now + pause))
end
if ARGV[5] then
  redis.call('HSET', KEYS[2], 'limit', ARGV[8], 'window', ARGV[9])
  local ours = redis.call('ZCOUNT', KEYS[1], '(' .. (ARGV[2] - ARGV[6]), '+inf')
  for i = 1, ARGV[5] - ours - ARGV[7] do -- somebody else's calls: they end a window from now at the latest
    redis.call('ZADD', KEYS[1], now, 'foreign:' .. now .. ':' .. i)
  end
  redis.call('PEXPIRE', KEYS[1], ARGV[9])
end
redis.call('PEXPIRE', KEYS[2], 7200000)
