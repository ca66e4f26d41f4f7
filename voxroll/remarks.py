"""What people are to know of a verdict, in a few words: in the table and on the page alike."""

from collections.abc import Iterator

from engine.voice.codes import ADVICE
from engine.voice.refusals import clock
from voxroll.checking import Verdict
from voxroll.heard import Heard


def remarks(verdict: Verdict) -> Iterator[str]:
    """Why it is refused; else what stands out in it."""
    if verdict.refusal:
        yield verdict.refusal.message
        return
    yield from (ADVICE[code].removeprefix("usable; ") for code in verdict.advice)
    if not verdict.heard:
        return
    if len(verdict.heard.legs) > 1:
        yield _why_channel(verdict.heard)
    if verdict.heard.people > 1:
        yield f"{verdict.heard.people} people speak, the stretch is one's alone"
    if verdict.heard.truncated:
        yield f"only the first {clock(verdict.heard.duration_s)} of it were looked at"


def _why_channel(heard: Heard) -> str:
    """Why one channel of several was taken."""
    here = next(leg for leg in heard.legs if leg.number == heard.channel)
    others = [leg for leg in heard.legs if leg is not here]
    if here.speech_s < max(leg.speech_s for leg in others):
        return f"channel {here.number} as asked, though another one has more speech"
    seconds = ", ".join(f"channel {leg.number}: {leg.speech_s:.0f} s" for leg in others)
    return f"channel {here.number} has most speech ({here.speech_s:.0f} s; {seconds})"
