-- Take due jobs and hold them for one lease, by the server's clock.
-- A job whose holder never gave it back was running in a crash: its try is not counted, its crash is. One that has
-- been in two is only held ('h'), to be run alone ('r').
-- KEYS: queue   ARGV: most jobs, lease ms, token, memory ms, prefixes of job, in-progress, retry
-- Returns id, payload or false, due ms, try, crashes of each.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'WITHSCORES', 'LIMIT', 0, ARGV[1])
if #due == 0 then
  return {}
end
local leases, payloads, holds, taken = {}, {}, {}, {}
for i = 1, #due, 2 do
  leases[i], leases[i + 1] = now + ARGV[2], due[i]
  payloads[#payloads + 1] = ARGV[5] .. due[i]
  holds[#holds + 1] = ARGV[6] .. due[i]
end
redis.call('ZADD', KEYS[1], unpack(leases))
payloads, holds = redis.call('MGET', unpack(payloads)), redis.call('MGET', unpack(holds))
for i, hold in ipairs(holds) do
  local id, crashes, try = due[2 * i - 1], 0, nil
  local left = hold and redis.call('PTTL', ARGV[6] .. id) - (ARGV[4] - ARGV[2]) or 0
  if left > 0 then -- its holder lives: somebody (arq's abort) has only moved it
    redis.call('ZADD', KEYS[1], now + left, id)
  else
    if hold then
      local before, how = string.match(hold, '|(%d+)|(.)$')
      crashes = tonumber(before or '0') + (how == 'h' and 0 or 1)
      try = redis.call('GET', ARGV[7] .. id) or 1
    else
      try = redis.call('INCR', ARGV[7] .. id)
    end
    local how = crashes < 2 and 'r' or 'h'
    redis.call('SET', ARGV[6] .. id, ARGV[3] .. '|' .. crashes .. '|' .. how, 'PX', ARGV[4])
    taken[#taken + 1] = { id, payloads[i], due[2 * i], tonumber(try), crashes }
  end
end
return taken
