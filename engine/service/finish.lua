-- End one job once: set its answer, put its callback in the queue and ring, or do nothing if it has ended before.
-- Where its audio was fetched from is forgotten: such URLs carry access tokens.
-- KEYS: job, arq job of the callback, queue of callbacks
-- ARGV: status, response, completed ms, ms of the job's end of life, arq payload or '' (nobody is told), its ttl ms,
--       arq id, due ms, HTTP status of the response, channel of the bell, word to ring
-- Returns 1 if this call ended the job.
if redis.call('HGET', KEYS[1], 'status') ~= 'InProgress' then
  return 0
end
redis.call('HSET', KEYS[1], 'status', ARGV[1], 'response', ARGV[2], 'completed_ms', ARGV[3], 'code', ARGV[9])
redis.call('HSET', KEYS[1], 'content_uri', '')
redis.call('PEXPIREAT', KEYS[1], ARGV[4])
if ARGV[5] ~= '' then
  redis.call('SET', KEYS[2], ARGV[5], 'PX', ARGV[6])
  redis.call('ZADD', KEYS[3], ARGV[8], ARGV[7])
end
redis.call('PUBLISH', ARGV[10], ARGV[11])
return 1
