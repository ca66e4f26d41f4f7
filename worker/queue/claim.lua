#!lua flags=allow-oom
-- Take due jobs and hold them for one lease. Called again with the same number, since its answer was lost, it returns
-- the same jobs and takes no others. A job whose holder never gave it back was held in a crash: its try does not count,
-- its crash does. One that has been in two is only kept ('h'), to be run alone ('r').
-- KEYS: queue, last call   ARGV: token, number, most, lease ms, memory ms, prefixes of job, in-progress, retry
-- Returns the time in ms, then id, payload or false, due ms, try, crashes of each job.
local time, last = redis.call('TIME'), redis.call('GET', KEYS[2])
local now, holder = time[1] * 1000 + time[2] / 1000, ARGV[1] .. ':' .. ARGV[2] .. '|'
last = last and cmsgpack.unpack(last)
local again = last and last[1] == ARGV[2]
local ours = again and holder or ARGV[1] .. ':'
local due = again and last[2]
  or redis.call('ZRANGE', KEYS[1], '-inf', now, 'BYSCORE', 'LIMIT', 0, ARGV[3], 'WITHSCORES')
local leases, payloads, holds, taken = {}, {}, {}, { now }
for i = 1, #due, 2 do
  leases[i], leases[i + 1] = now + ARGV[4], due[i]
  payloads[#payloads + 1], holds[#holds + 1] = ARGV[6] .. due[i], ARGV[7] .. due[i]
end
if #due > 0 then
  payloads, holds = redis.call('MGET', unpack(payloads)), redis.call('MGET', unpack(holds))
end
if #due > 0 and not again then
  redis.call('ZADD', KEYS[1], unpack(leases))
  redis.call('SET', KEYS[2], cmsgpack.pack({ ARGV[2], due }), 'PX', ARGV[5])
end
for i, hold in ipairs(holds) do
  local id, key, try = due[2 * i - 1], ARGV[7] .. due[2 * i - 1], nil
  local crashes, how = string.match(hold or '', '|(%d+)|(.)')
  if hold and string.sub(hold, 1, #ours) == ours then -- this worker lives: it lost the answer, or was held up
    redis.call('PEXPIRE', key, ARGV[5])
    try = again and (redis.call('GET', ARGV[8] .. id) or 1)
  elseif not again and not (hold and redis.call('PTTL', key) > ARGV[5] - ARGV[4]) then -- if so, it was only moved
    crashes = (crashes or 0) + (how == 'r' and 1 or 0)
    try = hold and redis.call('GET', ARGV[8] .. id) or redis.call('INCR', ARGV[8] .. id)
    redis.call('SET', key, holder .. crashes .. (crashes < 2 and '|r' or '|h'), 'PX', ARGV[5])
  end
  taken[#taken + 1] = try and { id, payloads[i], due[2 * i], try, crashes } or nil
end
return taken
