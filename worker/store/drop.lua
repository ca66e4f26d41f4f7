-- Forget a batch that nobody works on.
-- KEYS: batch, batches, lead, indexes of its speakers ...   ARGV: id, states in which it may go ...
-- Returns 1, or 0 if it is in another state.
local state = redis.call('HGET', KEYS[1], 'state')
for i = 2, #ARGV do
  if ARGV[i] == state then
    redis.call('ZREM', KEYS[2], ARGV[1])
    redis.call('DEL', KEYS[1], unpack(KEYS, 3))
    return 1
  end
end
return 0
