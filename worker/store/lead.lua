-- Take, keep (for so many ms) or give up (0) the lead, if nobody else has it.
-- KEYS: lead   ARGV: token, ms   Returns 1 if it is ours.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return 0
end
if ARGV[2] == '0' then
  redis.call('DEL', KEYS[1])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return 1
