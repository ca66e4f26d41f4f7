-- Put events into the lanes of an endpoint and move its place in the stream, once.
-- KEYS: place, lanes, lane ...   ARGV: place seen, new place, now ms, number of lanes, their names ..., then of each
-- event: which lane (from 1), its place
-- Returns 1, or 0 if the place is another one by now.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2])
local count = tonumber(ARGV[4])
for i = 1, count do
  redis.call('ZADD', KEYS[2], 'NX', ARGV[3], ARGV[4 + i])
end
for i = 5 + count, #ARGV, 2 do
  redis.call('RPUSH', KEYS[2 + ARGV[i]], ARGV[i + 1])
end
return 1
