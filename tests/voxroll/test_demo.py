"""The demo's own judgement: it must not call a bad run good."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voxroll.demo.identify import Recognised, verdict
from voxroll.demo.recordings import Script, Take, room, trimmed
from voxroll.demo.report import as_written, surprises
from voxroll.documents import Speaker

_SCRIPT = Script(
    {"anna": [Take(Path("mute.wav"), frozenset({"silent"})), Take(Path("good.wav"))]}, {"anna": Path("later.wav")}
)
_HEARD = {"anna": Recognised("anna", 1.0, 0.8)}


def speaker(
    *, complete: bool = True, mute: str | None = "silent", good: str = "applied", settled: bool = True
) -> Speaker:
    samples: list[dict[str, Any]] = [
        {"source": "mute.wav", "state": "rejected" if mute else "applied", "code": mute},
        {"source": "good.wav", "state": good, "outcome": good},
    ]
    known = {"state": "complete", "settled": settled, "enrollmentComplete": complete}
    return Speaker.model_validate({"speakerId": "anna", **known, "samples": samples})


def test_a_run_as_planned_has_no_surprises() -> None:
    assert list(surprises(_SCRIPT, {"anna": speaker()}, _HEARD)) == []
    assert list(surprises(_SCRIPT, {"anna": speaker(good="spare")}, _HEARD)) == []


@pytest.mark.parametrize(
    ("known", "heard", "word"),
    [
        ({}, _HEARD, "not taken in"),
        ({"anna": speaker(complete=False)}, _HEARD, "not complete"),
        ({"anna": speaker(mute=None)}, _HEARD, "silent expected, applied came"),
        ({"anna": speaker(mute="too_short")}, _HEARD, "silent expected, too_short came"),
        ({"anna": speaker(good="refused")}, _HEARD, "turned down"),
        ({"anna": speaker()}, {"anna": Recognised("ben", 1.0, 0.8)}, "not recognised"),
        ({"anna": speaker()}, {}, "not recognised"),
        ({"anna": speaker(complete=False, good="planned", settled=False)}, {}, "time was up"),
    ],
)
def test_whatever_goes_wrong_is_a_surprise(known: dict[str, Speaker], heard: dict[str, Recognised], word: str) -> None:
    (told,) = surprises(_SCRIPT, known, heard)
    assert word in told


def test_the_report_has_the_fields_that_were_promised() -> None:
    (entry,) = as_written({"anna": speaker()})
    assert set(entry) == {
        "speakerId",
        "state",
        "enrollmentComplete",
        "enrollmentQuality",
        "totalSpeechDuration",
        "totalEnrollDuration",
        "samples",
    }
    assert entry["samples"][0] == {"source": "mute.wav", "outcome": "rejected", "code": "silent"}


def test_the_speaker_with_most_of_the_speech_is_the_one() -> None:
    windows = [
        {"start": 0, "end": 6, "speakerId": "ben", "confidence": 0.9},
        {"start": 6, "end": 12, "speakerId": "anna", "confidence": 0.6},
        {"start": 12, "end": 18, "speakerId": "anna", "confidence": 0.7},
    ]
    assert verdict(windows) == Recognised("anna", 2 / 3, 0.7)
    assert verdict([]).speaker_id == ""
    assert verdict([{"start": 0, "end": 6, "speakerId": "UserNotIdentified", "confidence": 0.2}]).speaker_id == ""


def test_a_prompt_keeps_its_speech_and_gives_its_room() -> None:
    speech = np.sin(np.arange(16_000) / 5).astype(np.float32)
    quiet = np.full(8_000, 1e-4, np.float32)
    prompt = np.concatenate([quiet, speech, quiet])
    assert 16_000 <= len(trimmed(prompt, 16_000)) <= 18_000
    assert np.abs(room(prompt, 16_000)).max() < 1e-3
    assert len(room(prompt, 16_000)) == 3_200
