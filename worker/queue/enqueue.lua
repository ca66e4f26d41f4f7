#!lua
-- Queue jobs, each once: of one that is queued or held already, payload and place stay as they are.
-- KEYS: queue   ARGV: prefix of job; then of each job: id, payload, in how many ms it is due, or '' for now
-- Now is the server's. Of jobs that are due now, each is due a 4096th of a ms before the next: they keep their order.
local time, places = redis.call('TIME'), {}
local now = time[1] * 1000 + time[2] / 1000
for i = 2, #ARGV, 3 do
  redis.call('SET', ARGV[1] .. ARGV[i], ARGV[i + 1], 'NX')
  places[#places + 1] = ARGV[i + 2] == '' and now - (#ARGV - i) / 3 / 4096 or now + ARGV[i + 2]
  places[#places + 1] = ARGV[i]
end
if #places > 0 then
  redis.call('ZADD', KEYS[1], 'NX', unpack(places))
end
