"""What the demo shows at its end, what it writes to `demo-report.json`, and what was not as expected."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from voxroll.commands.speakers import short
from voxroll.demo.identify import Recognised
from voxroll.demo.recordings import Script, Take
from voxroll.documents import Speaker
from voxroll.show import rows, table

_USED = frozenset({"applied", "spare"})


def as_written(speakers: Mapping[str, Speaker]) -> list[dict[str, Any]]:
    """The report as it goes into `demo-report.json`."""
    return [_entry(speaker) for speaker in speakers.values()]


def _entry(speaker: Speaker) -> dict[str, Any]:
    wire = speaker.wire()
    kept = (
        "speakerId",
        "state",
        "enrollmentComplete",
        "enrollmentQuality",
        "totalSpeechDuration",
        "totalEnrollDuration",
    )
    samples = [
        {"source": sample.source, "outcome": sample.outcome or sample.state, "code": sample.code}
        for sample in speaker.samples
    ]
    return {key: wire[key] for key in kept} | {"samples": samples}


def recognised(found: Mapping[str, Recognised]) -> Table:
    """Who was recognised in the held-out recordings."""
    made = table("held-out recording of", "recognised as", ">of its speech", ">cosine")
    return rows(made, (_line(speaker_id, one) for speaker_id, one in found.items()))


def _line(speaker_id: str, one: Recognised) -> list[str]:
    right = one.speaker_id == speaker_id
    named = f"[{'green' if right else 'red'}]{'✓' if right else '✗'} {escape(one.speaker_id or 'nobody')}[/]"
    return [f"[bold]{escape(speaker_id)}[/]", named, f"{one.share:.0%}", f"{one.confidence:.2f}"]


def surprises(script: Script, speakers: Mapping[str, Speaker], found: Mapping[str, Recognised]) -> Iterator[str]:
    """Everything that was not as expected, in words; nothing for a demo that went well."""
    for speaker_id, takes in script.takes.items():
        speaker = speakers.get(speaker_id)
        if speaker is None:
            yield f"{speaker_id} was not taken in"
        elif not speaker.settled:
            yield f"{speaker_id} is {speaker.state} still, and time was up; run it again when this machine is less busy"
        else:
            yield from _amiss(speaker, takes)
    for speaker_id in script.held_out:
        one, known = found.get(speaker_id), speakers.get(speaker_id)
        if known and not known.settled:
            continue
        if one is None or one.speaker_id != speaker_id:
            yield f"{speaker_id} was not recognised, but {one.speaker_id or 'nobody' if one else 'never asked for'}"


def _amiss(speaker: Speaker, takes: Sequence[Take]) -> Iterator[str]:
    """What was not as expected of a speaker who is settled."""
    if not speaker.enrollment_complete:
        yield f"{speaker.speaker_id} is not complete: {speaker.total_speech_duration:.1f} s of speech, {speaker.state}"
    outcomes = {short(sample.source): sample for sample in speaker.samples}
    for take in takes:
        sample, where = outcomes.get(take.path.name), f"{speaker.speaker_id}/{take.path.name}"
        got = "nothing" if sample is None else sample.code or sample.state
        if take.codes and got not in take.codes:
            yield f"{where}: {' or '.join(sorted(take.codes))} expected, {got} came"
        if not take.codes and (sample is None or sample.state not in _USED):
            yield f"{where}: a good recording was turned down: {got}"
