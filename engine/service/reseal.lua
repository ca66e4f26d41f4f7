-- Replace the sealed data key of one enrollment, if it is still the one that was read.
-- KEYS: enrollment
-- ARGV: sealed data key as it was read, the same sealed anew
-- Returns 1 if it was replaced.
if redis.call('HGET', KEYS[1], 'key') ~= ARGV[1] then
  return 0
end
redis.call('HSET', KEYS[1], 'key', ARGV[2])
return 1
