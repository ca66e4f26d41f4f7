-- One step of one enrollment: compare the version, set document and sealed vectors, keep both indexes.
-- No rule lives here: what the enrollment becomes was decided before.
-- KEYS: enrollment, index of all, index of complete ones, since when Redis's files hold what was erased
-- ARGV: version read, document, sealed vectors or '', their sealed key, speaker id, rank in index of all or '',
--   rank in index of complete ones or '', 'erases' if a voice is taken away or ''
-- Returns the new version, or 0 if somebody else was faster.
local version = tonumber(redis.call('HGET', KEYS[1], 'version') or '0')
if version ~= tonumber(ARGV[1]) then
  return 0
end
version = version + 1
redis.call('HSET', KEYS[1], 'version', version, 'document', ARGV[2])
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], 'vectors', 'key')
else
  redis.call('HSET', KEYS[1], 'vectors', ARGV[3], 'key', ARGV[4])
end
for i = 2, 3 do
  if ARGV[i + 4] == '' then
    redis.call('ZREM', KEYS[i], ARGV[5])
  else
    redis.call('ZADD', KEYS[i], ARGV[i + 4], ARGV[5])
  end
end
if ARGV[8] == 'erases' then
  local now = redis.call('TIME')
  redis.call('SET', KEYS[4], now[1], 'NX')
end
return version
