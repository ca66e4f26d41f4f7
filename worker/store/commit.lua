-- One step of one record: compare the version, set the record, move it in the indexes, append its events.
-- No rule lives here: what the record becomes was decided before. Indexes are ordered by the server's clock.
-- KEYS: speaker, due, events, indexes to leave ..., indexes to be in ...
-- ARGV: version seen, record, speaker id, due ms or '', events kept, number of indexes to leave, event, event, ...
-- Returns the new version, or 0 if somebody else was faster.
local version = tonumber(redis.call('HGET', KEYS[1], 'version') or '0')
if version ~= tonumber(ARGV[1]) then
  return 0
end
version = version + 1
redis.call('HSET', KEYS[1], 'version', version, 'record', ARGV[2])
if ARGV[4] == '' then
  redis.call('ZREM', KEYS[2], ARGV[3])
else
  redis.call('ZADD', KEYS[2], ARGV[4], ARGV[3])
end
local told = #ARGV - 6
local before = told > 0 and redis.call('HINCRBY', KEYS[1], 'told', told) - told
for i = 1, told do
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], '*', 'event', ARGV[i + 6], 'sequence', before + i)
end
local time, left = redis.call('TIME'), 3 + ARGV[6]
local changed_us = string.format('%d%06d', time[1], time[2])
for i = 4, #KEYS do
  if i <= left then
    redis.call('ZREM', KEYS[i], ARGV[3])
  else
    redis.call('ZADD', KEYS[i], changed_us, ARGV[3])
  end
end
return version
