#!lua flags=allow-oom
-- Hold on to jobs for another lease. A job that somebody else holds by now is not touched.
-- KEYS: queue   ARGV: token, lease ms, memory ms, prefix of in-progress, 'r' if they run from now on or '', id, id, ...
-- Returns the ids that somebody else holds.
local time, lost = redis.call('TIME'), {}
local lease_end, mine = time[1] * 1000 + time[2] / 1000 + ARGV[2], ARGV[1] .. ':'
for i = 6, #ARGV do
  local key = ARGV[4] .. ARGV[i]
  local hold = redis.call('GET', key)
  if hold and string.sub(hold, 1, #mine) == mine then
    if ARGV[5] ~= '' then
      redis.call('SET', key, string.sub(hold, 1, -2) .. ARGV[5])
    end
    redis.call('PEXPIRE', key, ARGV[3])
    redis.call('ZADD', KEYS[1], 'XX', lease_end, ARGV[i])
  else
    lost[#lost + 1] = ARGV[i]
  end
end
return lost
