-- Give jobs back: done, or to be run again later. Only the holder may: a late one changes nothing.
-- KEYS: queue   ARGV: token, prefixes of job, in-progress, retry, result;
--   then of each job: id, ms until it is due again or '' if it is done, '1' if its try does not count, result or '',
--   ms to keep the result
-- Returns the ids that somebody else holds by now.
local lost, gone, done, now = {}, {}, {}, nil
for i = 6, #ARGV, 5 do
  local id = ARGV[i]
  local hold = redis.call('GET', ARGV[3] .. id)
  if not hold or string.sub(hold, 1, #ARGV[1] + 1) ~= ARGV[1] .. '|' then
    lost[#lost + 1] = id
  else
    gone[#gone + 1] = ARGV[3] .. id
    if ARGV[i + 1] == '' then
      done[#done + 1] = id
      gone[#gone + 1] = ARGV[2] .. id
      gone[#gone + 1] = ARGV[4] .. id
      if ARGV[i + 3] ~= '' then
        redis.call('SET', ARGV[5] .. id, ARGV[i + 3], 'PX', ARGV[i + 4])
      end
    else
      now = now or redis.call('TIME')
      redis.call('ZADD', KEYS[1], now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[i + 1], id)
      if ARGV[i + 2] == '1' then
        redis.call('DECR', ARGV[4] .. id)
      end
    end
  end
end
if #gone > 0 then
  redis.call('DEL', unpack(gone))
end
if #done > 0 then
  redis.call('ZREM', KEYS[1], unpack(done))
end
return lost
