"""Every key of the status store, one function each, with its TTL or the reason why it has none.

The braces are a Redis hash tag: all keys of one account live on one shard, so one script may touch several.
"""

from worker.enrollment.record import Quality, SpeakerId
from worker.enrollment.states import SpeakerState


def speaker(account: str, speaker_id: SpeakerId) -> str:
    """Hash `version`, `record`, `told` (events so far). No TTL: the record is the product."""
    return f"vx:{{{account}}}:speaker:{speaker_id}"


def speakers(account: str, state: SpeakerState, quality: Quality | None, *, batch: str | None = None) -> str:
    """Sorted set of speaker ids by last change in µs, of one state and quality, in all or of one batch.

    No TTL: one member per record, and one more for each of its batches.
    """
    scope = "all" if batch is None else f"batch/{batch}"
    return f"vx:{{{account}}}:speakers:{scope}:{state}:{quality or 'none'}"


def due(account: str) -> str:
    """Sorted set of unsettled speakers by the time in ms at which the sweep looks. No TTL: empties as they settle."""
    return f"vx:{{{account}}}:due"


def events(account: str) -> str:
    """Stream of events. No TTL: trimmed to a length by every commit."""
    return f"vx:{{{account}}}:events"


def callbacks(account: str) -> str:
    """Stream of accepted callbacks as they came. No TTL: the sweep trims it by age and by size."""
    return f"vx:{{{account}}}:callbacks"


def callback_bytes(account: str) -> str:
    """Number: bytes of headers and bodies in the stream of callbacks. No TTL: lives and dies with the stream."""
    return f"vx:{{{account}}}:callbacks:bytes"


def refused(account: str) -> str:
    """Stream of refused callbacks, cut short. No TTL: every write trims it to a small number."""
    return f"vx:{{{account}}}:refused"


def health(account: str) -> str:
    """When a worker last lived, and which. TTL: 10 s."""
    return f"vx:{{{account}}}:worker:health"


def voices(account: str) -> str:
    """Hash speaker id to voice: the gallery. No TTL: one per speaker with an applied sample, taken out by erasing."""
    return f"vx:{{{account}}}:voices"


def voice_changes(account: str) -> str:
    """Sorted set of speaker ids by the number of their voice's last change.

    No TTL: one member per speaker. Who was taken out stays as a name, by which other workers learn of it.
    """
    return f"vx:{{{account}}}:voices:changes"


def endpoints(account: str) -> str:
    """Hash endpoint id to its document, secrets with it. No TTL: one per endpoint, until it is removed."""
    return f"vx:{{{account}}}:endpoints"


def endpoint(account: str, endpoint_id: str, part: str) -> str:
    """What is on its way to an endpoint, goes with it.

    `at`: id of the last event that was looked at. `lanes`: sorted set of lanes with something left, by the time in ms
    of their next try. `tries`: hash lane to tries of its first event. `health`: hash. `dead`: list of events that were
    given up, the last thousand. `lead`: who delivers, with a TTL of a few seconds. No TTL of the others: bounded by
    the events kept.
    """
    return f"vx:{{{account}}}:endpoint:{endpoint_id}:{part}"


def lane(account: str, endpoint_id: str, name: str) -> str:
    """List of ids of events of one speaker that wait for an endpoint, oldest first. No TTL: empties as they go out."""
    return f"vx:{{{account}}}:endpoint:{endpoint_id}:lane:{name}"


def api_keys(account: str) -> str:
    """Hash key id to what is kept of an API key. No TTL: a revoked one stays, so that its name is known."""
    return f"vx:{{{account}}}:keys"


def repeated(account: str, who: str) -> str:
    """What a request with an Idempotency-Key was answered; `who` is a hash over the key and who sent it. TTL: 24 h."""
    return f"vx:{{{account}}}:repeated:{who}"


def batches(account: str) -> str:
    """Sorted set of batch ids by the ms at which they were handed in. No TTL: one per batch, until it is forgotten."""
    return f"vx:{{{account}}}:batches"


def open_batches(account: str) -> str:
    """Set of the ids of batches that a leader works on. No TTL: empties as they end."""
    return f"vx:{{{account}}}:batches:open"


def batch(account: str, batch_id: str) -> str:
    """Hash: plan, state, position and counters of a batch. No TTL: the sweep forgets it by age."""
    return f"vx:{{{account}}}:batch:{batch_id}"


def shortlist(account: str, shortlist_id: str) -> str:
    """Who was found to be like a recording. TTL: an hour until somebody has looked, then ten minutes."""
    return f"vx:{{{account}}}:shortlist:{shortlist_id}"


def unnaming(account: str) -> str:
    """Set of `batch/speaker`: the erased whom a stored manifest names. No TTL: empties as manifests are rewritten."""
    return f"vx:{{{account}}}:batches:unnaming"


def seeking(account: str) -> str:
    """Set of `lately/speaker`, `sought/speaker`, `unseen/batch`: whom of the erased to look for in which batches.

    No TTL: empties as the batches are looked through.
    """
    return f"vx:{{{account}}}:batches:seeking"


def batch_lead(account: str, batch_id: str) -> str:
    """Who feeds a batch. TTL: a few seconds."""
    return f"vx:{{{account}}}:batch:{batch_id}:lead"
