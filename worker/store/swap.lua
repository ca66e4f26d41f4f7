-- Change a field of a hash if it still is what was read.
-- KEYS: hash   ARGV: field, as it was read, as it is to be   Returns 1, or 0 if it is another one by now.
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
