"""Every Redis key of the engine, one function each, with its TTL or the reason why it has none.

The braces are a Redis hash tag: all keys of one account live on one shard, so one script may touch several. Audio is
under none of them.
"""


def enrollment(account: str, speaker_id: str) -> str:
    """Hash `version`, `document`, `vectors`, `key`: one enrollment, or its tombstone (no `vectors`, no `key`).

    No TTL: voiceprints are what the engine keeps; a tombstone (about 100 bytes) tells 410 from 404 for ever.
    """
    return f"vx:{{{account}}}:engine:enrollment:{speaker_id}"


def index(account: str, *, complete_only: bool) -> str:
    """Sorted set of speaker ids by time of enrollment in ms. No TTL: one member per enrollment, gone with it."""
    return f"vx:{{{account}}}:engine:index:{'complete' if complete_only else 'all'}"


def erased(account: str) -> str:
    """String: since when (s) Redis's files hold a voice that was erased. No TTL: goes when they are written anew."""
    return f"vx:{{{account}}}:engine:erased"


def forgetting(account: str) -> str:
    """String: the same, of what is being left out of the files just now. No TTL: goes when that is done."""
    return f"vx:{{{account}}}:engine:forgetting"


def job(account: str, job_id: str) -> str:
    """Hash of one job: what was asked, and later its answer.

    TTL: as long as the queue keeps a job while it waits; once answered, VOXROLL_RETENTION_JOBS from its creation.
    """
    return f"vx:{{{account}}}:engine:job:{job_id}"


def ended(account: str, name: str) -> str:
    """String: a session or token that was ended early. TTL: as long as it would have lived."""
    return f"vx:{{{account}}}:engine:ended:{name}"


def fetches(account: str) -> str:
    """Sorted set of arq: jobs whose audio is to be fetched. No TTL: a member leaves when it was, or can't be."""
    return f"vx:{{{account}}}:engine:fetches"


def samples(account: str) -> str:
    """Sorted set of arq: samples to enroll, by due time. No TTL: a member leaves when its job is answered."""
    return f"vx:{{{account}}}:engine:samples"


def recordings(account: str) -> str:
    """Sorted set of arq: recordings to tell voices in. No TTL: a member leaves when its job is answered."""
    return f"vx:{{{account}}}:engine:recordings"


def awaited(account: str) -> str:
    """Sorted set of arq: jobs whose result a client waits for. No TTL: a member leaves when its job is answered."""
    return f"vx:{{{account}}}:engine:awaited"


def crew(account: str) -> str:
    """Sorted set of processes that work, by the time until which that counts. TTL 50 s after the last of them."""
    return f"vx:{{{account}}}:engine:crew"


def bell(account: str) -> str:
    """Channel, no key: what waits in which queue, and which awaited job has ended."""
    return f"vx:{{{account}}}:engine:bell"


def callbacks(account: str) -> str:
    """Sorted set of arq: callbacks to deliver, by due time. No TTL: a member leaves when delivered or given up."""
    return f"vx:{{{account}}}:engine:callbacks"


def arq_id(queue_name: str, job_id: str) -> str:
    """Id under which arq knows a job; arq adds its own prefixes, the tag inside keeps them on the account's shard.

    TTL of the keys that arq makes of it: 30 days for a waiting job, VOXROLL_ENGINE_LEASE for a running one, 25 h for
    its tries.
    """
    return f"{queue_name}:{job_id}"
