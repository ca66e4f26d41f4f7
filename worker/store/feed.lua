-- Count a piece of a manifest as read, once.
-- KEYS: batch   ARGV: rows read as seen, rows of the piece, then names and numbers of what became of them ...
-- Returns 1, or 0 if somebody else has counted it.
if redis.call('HGET', KEYS[1], 'read') ~= ARGV[1] then
  return 0
end
redis.call('HINCRBY', KEYS[1], 'read', ARGV[2])
for i = 3, #ARGV, 2 do
  redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1])
end
return 1
