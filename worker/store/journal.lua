-- Writes a group of callbacks down, each with the job that will reconcile it: all of the group or nothing.
-- The stream gives each callback its id, and the id goes into the job's id and payload in place of the mark.
-- KEYS: callbacks, their bytes, queue
-- ARGV: job's key before and after the mark, job's id before and after it, payload before and after it,
--       then for each callback: received at ms, speaker, recording, attempt, headers, body
-- Returns how many were written.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local due, bytes = {}, 0
for i = 7, #ARGV, 6 do
  local id = redis.call('XADD', KEYS[1], '*', 'at', ARGV[i], 'speaker', ARGV[i + 1], 'recording', ARGV[i + 2],
    'attempt', ARGV[i + 3], 'headers', ARGV[i + 4], 'body', ARGV[i + 5])
  redis.call('SET', ARGV[1] .. id .. ARGV[2], ARGV[5] .. id .. ARGV[6], 'NX')
  due[#due + 1] = now
  due[#due + 1] = ARGV[3] .. id .. ARGV[4]
  bytes = bytes + #ARGV[i + 4] + #ARGV[i + 5]
end
redis.call('ZADD', KEYS[3], 'NX', unpack(due))
redis.call('INCRBY', KEYS[2], bytes)
return #due / 2
