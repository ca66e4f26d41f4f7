-- One step of one enrollment: compare the version, set document and vectors, keep both indexes.
-- No rule lives here: what the enrollment becomes was decided before.
-- KEYS: enrollment, index of all, index of complete ones
-- ARGV: version read, document, vectors or '', speaker id, rank in index of all or '', rank in complete or ''
-- Returns the new version, or 0 if somebody else was faster.
local version = tonumber(redis.call('HGET', KEYS[1], 'version') or '0')
if version ~= tonumber(ARGV[1]) then
  return 0
end
version = version + 1
redis.call('HSET', KEYS[1], 'version', version, 'document', ARGV[2])
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], 'vectors')
else
  redis.call('HSET', KEYS[1], 'vectors', ARGV[3])
end
for i = 2, 3 do
  if ARGV[i + 3] == '' then
    redis.call('ZREM', KEYS[i], ARGV[4])
  else
    redis.call('ZADD', KEYS[i], ARGV[i + 3], ARGV[4])
  end
end
return version
