"""Verdicts as `voxroll check --json` prints them; wire names (camelCase) are here alone."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic.alias_generators import to_camel

from engine.voice.failure import VoiceFailure
from engine.voice.measures import Measures
from engine.voice.preflight import Refused, Window
from engine.voice.speech import Span
from voxroll.asked import readable
from voxroll.checking import Verdict
from voxroll.heard import Channel, Heard
from worker.contract.fields import WHOLE, Stretch


def document(verdicts: Sequence[Verdict], *, seconds: float) -> dict[str, Any]:
    """All of them, with what they sum up to."""
    refused = codes(verdicts)
    return {
        "files": [wire(verdict) for verdict in verdicts],
        "usable": len(verdicts) - refused.total(),
        "refused": refused.total(),
        "codes": dict(refused.most_common()),
        "audioS": round(sum(verdict.duration_s for verdict in verdicts), 3),
        "seconds": round(seconds, 3),
    }


def codes(verdicts: Iterable[Verdict]) -> Counter[str]:
    """How many are refused by each code."""
    return Counter(verdict.refusal.code for verdict in verdicts if verdict.refusal)


def wire(verdict: Verdict) -> dict[str, Any]:
    """One of them; of the best window `startS`, `endS` and `measures` stand at the top too."""
    asked = verdict.asked
    told: dict[str, Any] = {"file": readable(asked.file), "usable": verdict.refusal is None}
    told |= {"line": asked.line} if asked.line is not None else {}
    told |= {"speakerId": asked.speaker_id} if asked.speaker_id is not None else {}
    told |= {"stretch": _part(asked.stretch)} if asked.stretch != WHOLE else {}
    told |= _refusal(verdict.refusal) if verdict.refusal else {"advice": list(verdict.advice)}
    if verdict.windows:
        best = _window(verdict.windows[0])
        told |= {name: best[name] for name in ("startS", "endS", "measures")}
    if verdict.heard:
        told |= {"audioSha256": verdict.audio_sha256, **_heard(verdict.heard)}
        told["windows"] = [_window(window) for window in verdict.windows]
    return told


def _part(stretch: Stretch) -> dict[str, float | None]:
    return {"startS": stretch.start_s, "endS": stretch.end_s}


def _heard(heard: Heard) -> dict[str, Any]:
    return {
        "durationS": round(heard.duration_s, 3),
        "truncated": heard.truncated,
        "channels": heard.channels,
        "channel": heard.channel,
        "legs": [_leg(leg) for leg in heard.legs],
        "people": heard.people,
        "refusedStretches": [_stretch(one) for one in heard.refused],
        "speech": _spans(heard.spans),
        "music": _spans(heard.music),
        "tones": _spans(heard.tones),
        "others": _spans(heard.others),
    }


def _refusal(refusal: VoiceFailure) -> dict[str, Any]:
    return {"code": refusal.code, "message": refusal.message, "value": refusal.value, "limit": refusal.limit}


def _window(window: Window) -> dict[str, Any]:
    return {
        "startS": window.start_s,
        "endS": window.end_s,
        "channel": window.channel,
        "score": round(window.score, 3),
        "measures": _measures(window.measures),
    }


def _stretch(refused: Refused) -> dict[str, Any]:
    return {"startS": refused.start_s, "endS": refused.end_s, **_refusal(refused.failure)}


def _measures(found: Measures) -> dict[str, Any]:
    return {to_camel(name): value for name, value in found.told().items()}


def _leg(leg: Channel) -> dict[str, Any]:
    leakage = None if math.isnan(leg.leakage_db) else round(leg.leakage_db, 1)
    return {"channel": leg.number, "leakageDb": leakage, "speechS": round(leg.speech_s, 3)}


def _spans(spans: Iterable[Span]) -> list[dict[str, float]]:
    return [{"startS": round(span.start_s, 3), "endS": round(span.end_s, 3)} for span in spans]
