-- Drops the oldest callbacks while they are too old or too many bytes are kept, never one whose job still waits.
-- KEYS: callbacks, their bytes
-- ARGV: keep ms, most bytes, first id to look at, how many to look at, suffix of replays,
--       job's key before and after the mark
-- Returns how many were dropped and the last id looked at; '' where nothing is left to drop.
local clock = redis.call('TIME')
local oldest = clock[1] * 1000 + math.floor(clock[2] / 1000) - ARGV[1]
local kept = tonumber(redis.call('GET', KEYS[2]) or '0')
local drop, freed, last = {}, 0, ''
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], ARGV[3], '+', 'COUNT', ARGV[4])) do
  local id, fields = entry[1], entry[2]
  if tonumber(string.match(id, '^%d+')) >= oldest and kept - freed <= tonumber(ARGV[2]) then
    last = ''
    break
  end
  last = id
  local job = ARGV[6] .. id .. ARGV[7]
  if redis.call('EXISTS', job, job .. ARGV[5]) == 0 then
    drop[#drop + 1] = id
    freed = freed + #fields[10] + #fields[12]
  end
end
if #drop > 0 then
  redis.call('XDEL', KEYS[1], unpack(drop))
  redis.call('DECRBY', KEYS[2], freed)
end
return {#drop, last}
