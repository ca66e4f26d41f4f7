"""Who is to be heard in a recording: everybody once on each channel, each like themselves."""

from pathlib import Path

import numpy as np
import pytest

from engine.voice import likeness
from engine.voice.company import Heard, company
from engine.voice.failure import VoiceFailure
from engine.voice.recording import decode
from engine.voice.samples import RATE_HZ
from engine.voice.voiceprint import centred, score
from tests.support.corpus import Talker, conversation, talkers
from tests.support.speech import wav
from tests.support.voices import voice

PEOPLE = 4  # readers or announcers, to tell one from


def heard_in(content: bytes, folder: Path, *, channel: int | None = None) -> list[Heard]:
    """Everybody in a file."""
    file = folder / "call.wav"
    file.write_bytes(content)
    return company(voice(), lambda number: decode(file, channel=number), channel=channel)


def who(heard: Heard, known: list[Talker]) -> str:
    """The one of whom there is other speech that is most like it."""
    centre = voice().centre(narrow_band=False)

    def like(one: Talker) -> float:
        other = likeness.make(voice(), np.concatenate(one.held_out))
        return score(centred(heard.vector, centre), centred(other.vector, centre))

    return max(known, key=like).name


@pytest.mark.parametrize("channels", [1, 2])
def test_both_parties_of_a_call_are_heard_and_known_again(channels: int, tmp_path: Path) -> None:
    known = [one for one in talkers() if one.band == "wide"][:PEOPLE]
    call = conversation("call", known[0], known[2], np.random.default_rng(5), channels=channels)
    heard = heard_in(call.wav(), tmp_path)
    assert sorted(who(one, known) for one in heard) == sorted([known[0].name, known[2].name])
    if channels == 1:
        assert who(heard[0], known) == call.target


def test_where_nobody_speaks_nobody_is_heard(tmp_path: Path) -> None:
    hiss = np.random.default_rng(1).normal(0, 1e-4, 10 * RATE_HZ).astype(np.float32)
    assert heard_in(wav(hiss), tmp_path) == []


def test_a_recording_without_the_channel_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VoiceFailure) as refused:
        heard_in(wav(np.zeros(RATE_HZ, np.float32)), tmp_path, channel=3)
    assert refused.value.code == "channel_missing"
