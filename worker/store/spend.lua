-- Count a call for a batch, unless it was forgotten.
-- KEYS: batch   Returns 1, or 0 if there is none.
if redis.call('EXISTS', KEYS[1]) == 0 then
  return 0
end
redis.call('HINCRBY', KEYS[1], 'calls', 1)
return 1
