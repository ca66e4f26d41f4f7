-- One step of one record: compare the version, set the record, move it in the indexes, append its events.
-- No rule lives here: what the record becomes was decided before.
-- KEYS: speaker, all, index before, index after, due, events
-- ARGV: version seen, record, speaker id, changed ms, due ms or '', events kept, event, event, ...
-- Returns the new version, or 0 if somebody else was faster.
local version = tonumber(redis.call('HGET', KEYS[1], 'version') or '0')
if version ~= tonumber(ARGV[1]) then
  return 0
end
version = version + 1
redis.call('HSET', KEYS[1], 'version', version, 'record', ARGV[2])
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[3])
if KEYS[3] ~= KEYS[4] then
  redis.call('ZREM', KEYS[3], ARGV[3])
end
redis.call('ZADD', KEYS[4], ARGV[4], ARGV[3])
if ARGV[5] == '' then
  redis.call('ZREM', KEYS[5], ARGV[3])
else
  redis.call('ZADD', KEYS[5], ARGV[5], ARGV[3])
end
for i = 7, #ARGV do
  redis.call('XADD', KEYS[6], 'MAXLEN', '~', ARGV[6], '*', 'event', ARGV[i])
end
return version
