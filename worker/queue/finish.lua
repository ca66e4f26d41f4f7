#!lua flags=allow-oom
-- Give jobs back: done, or to be run again. Only the hold they were taken under counts: a late one changes nothing.
-- KEYS: queue   ARGV: token, ms that a crash is remembered, prefixes of job, in-progress, retry, result; then of each
--   job: id, number of the call that took it, when it is due again, '1' if its try does not count, result or '', ms to
--   keep it (0: for ever). Due again: '' if it is done, ms from now, or '@' and its old place in the queue.
-- Returns the ids that somebody else holds by now.
local lost, gone, done, now = {}, {}, {}, redis.call('TIME')
for i = 7, #ARGV, 6 do
  local id, again, refund, key = ARGV[i], ARGV[i + 2], ARGV[i + 3] == '1', ARGV[4] .. ARGV[i]
  local hold, holder = redis.call('GET', key), ARGV[1] .. ':' .. ARGV[i + 1] .. '|'
  if not hold or string.sub(hold, 1, #holder) ~= holder then
    lost[#lost + 1] = id
  elseif again == '' then
    done[#done + 1] = id
    gone[#gone + 1], gone[#gone + 2], gone[#gone + 3] = key, ARGV[3] .. id, ARGV[5] .. id
    if ARGV[i + 4] ~= '' then
      redis.call('SET', ARGV[6] .. id, ARGV[i + 4], unpack(ARGV[i + 5] ~= '0' and { 'PX', ARGV[i + 5] } or {}))
    end
  else
    redis.call('ZADD', KEYS[1], string.match(again, '^@(.+)') or now[1] * 1000 + now[2] / 1000 + again, id)
    local crashes = refund and string.match(hold, '|([1-9]%d*)|')
    if crashes then -- it has not shown yet that it ends well: its crashes and its try stay as they are
      redis.call('SET', key, '|' .. crashes .. '|h', 'PX', ARGV[2])
    else
      gone[#gone + 1] = key
      if refund then
        redis.call('DECR', ARGV[5] .. id)
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
