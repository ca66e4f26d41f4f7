"""Which Redis keys may live without a TTL, and why: each pattern repeats the reason that its function gives."""

import fnmatch

import redis

REASONS = {
    "vx:{*}:speaker:*": "the record is the product",
    "vx:{*}:speakers:*": "one member per record",
    "vx:{*}:voices": "one per speaker with an applied sample, taken out by erasing",
    "vx:{*}:voices:changes": "one member per speaker",
    "vx:{*}:due": "empties as speakers settle",
    "vx:{*}:events": "trimmed by every commit",
    "vx:{*}:callbacks": "the sweep trims it by age and by size",
    "vx:{*}:callbacks:bytes": "lives and dies with the stream",
    "vx:{*}:refused": "every write trims it to a small number",
    "vx:{*}:endpoints": "one per endpoint, until it is removed",
    "vx:{*}:endpoint:*:lane:*": "empties as its events go out",
    "vx:{*}:endpoint:*": "bounded, and removed with the endpoint",
    "vx:{*}:keys": "a revoked one stays, so that its name is known",
    "vx:{*}:batches": "one member per batch, until it is forgotten",
    "vx:{*}:batches:open": "empties as they end",
    "vx:{*}:batches:unnaming": "empties as manifests are rewritten",
    "vx:{*}:batches:seeking": "empties as the batches are looked through",
    "vx:{*}:batch:*": "the sweep forgets it by age",
    "vx:{*}:queue": "empties as jobs are done",
    "vx:{*}:engine:*": "the engine's keys are checked by its own tests",
    "vx:{*}:queue:poison": "kept until a person looks",
    "arq:retry:*": "deleted with its job",
    "arq:job:*": "a backlog of any age is kept; deleted when the job is done",
}


def unexplained(server: redis.Redis) -> list[str]:
    """Keys without TTL that no reason covers."""
    found = [key.decode() for key in server.scan_iter(count=1000)]
    return [
        key
        for key in found
        if not any(fnmatch.fnmatchcase(key, pattern) for pattern in REASONS) and server.ttl(key) == -1
    ]
