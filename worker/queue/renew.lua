-- Hold on to jobs for another lease. A job that somebody else holds by now is not touched.
-- KEYS: queue   ARGV: token, lease ms, memory ms, prefix of in-progress, id, id, ...
-- Returns the ids that somebody else holds.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lost = {}
for i = 5, #ARGV do
  local hold = redis.call('GET', ARGV[4] .. ARGV[i])
  if hold and string.sub(hold, 1, #ARGV[1] + 1) == ARGV[1] .. '|' then
    redis.call('ZADD', KEYS[1], 'XX', now + ARGV[2], ARGV[i])
    redis.call('PEXPIRE', ARGV[4] .. ARGV[i], ARGV[3])
  else
    lost[#lost + 1] = ARGV[i]
  end
end
return lost
