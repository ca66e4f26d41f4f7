-- Turn a batch from the state it was seen in to another, and tell it.
-- KEYS: batch, open batches, events
-- ARGV: id, state seen, new state, '1' if it is open then, event or '', events kept, names and values of other fields ...
-- Returns 1, or 0 if its state is another one by now.
if redis.call('HGET', KEYS[1], 'state') ~= ARGV[2] then
  return 0
end
redis.call('HSET', KEYS[1], 'state', ARGV[3], unpack(ARGV, 7))
redis.call(ARGV[4] == '1' and 'SADD' or 'SREM', KEYS[2], ARGV[1])
if ARGV[5] ~= '' then
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[6], '*', 'event', ARGV[5])
end
return 1
