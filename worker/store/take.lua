-- Put events into the lanes of an endpoint and move its place in the stream, once.
-- KEYS: endpoints, place, lanes, health, lane ...   ARGV: id, place seen, new place, now ms, events before this ms were
-- missed or 0, number of lanes, their names ..., then of each event: which lane (from 1), its place
-- Returns 1, or 0 if the place is another one by now, or the endpoint is gone.
if redis.call('GET', KEYS[2]) ~= ARGV[2] or redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  return 0
end
redis.call('SET', KEYS[2], ARGV[3])
if ARGV[5] ~= '0' then
  redis.call('HSET', KEYS[4], 'missed_ms', ARGV[5])
end
local count = tonumber(ARGV[6])
for i = 1, count do
  redis.call('ZADD', KEYS[3], 'NX', ARGV[4], ARGV[6 + i])
end
local queued = 0
for i = 7 + count, #ARGV, 2 do
  redis.call('RPUSH', KEYS[4 + ARGV[i]], ARGV[i + 1])
  queued = queued + 1
end
if queued > 0 then
  redis.call('HINCRBY', KEYS[4], 'queued', queued)
end
return 1
