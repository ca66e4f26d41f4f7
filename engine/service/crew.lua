-- Who works at this moment, and how many awaited jobs there are.
-- KEYS: crew, queue of awaited jobs
-- Returns the number of jobs, then everybody who works.
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
local found = redis.call('ZRANGEBYSCORE', KEYS[1], ms, '+inf')
table.insert(found, 1, redis.call('ZCARD', KEYS[2]))
return found
