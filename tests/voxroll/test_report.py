"""The page: well-formed, shut to whatever comes from outside, and without a sound in it."""

import base64
import hashlib
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote_to_bytes, urljoin

import numpy as np
import pytest

from engine.voice.failure import VoiceFailure
from engine.voice.measures import Measures
from engine.voice.preflight import Refused, Window
from engine.voice.speech import Span
from voxroll.asked import Asked
from voxroll.checking import Verdict
from voxroll.heard import Channel, Heard, outline
from voxroll.report import address, parts, write

_VOID = {"meta", "path", "rect"}  # the latter two close themselves
_MEASURES = Measures(
    duration_s=15.0,
    speech_s=13.5,
    longest_pause_s=0.4,
    snr_db=31.0,
    clip_ratio=0.0,
    level_dbfs=-24.0,
    bandwidth_hz=8000,
    narrow_band=False,
    line=False,
    music_s=0.0,
    tone_s=0.0,
    consistency=0.8,
    voices_p10=math.nan,
    voices_parted=math.nan,
    overlap=0.0,
)


class Page(HTMLParser):
    """What a page holds; fails where a tag is not closed in its place."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def channel(number: int | None) -> Channel:
    power = np.geomspace(1e-6, 0.1, 5000).astype(np.float32)
    return Channel(number=number, leakage_db=-30.0, speech=(Span(1.0, 12.0),), outline=outline(power))


def heard() -> Heard:
    return Heard(
        start_s=0.0,
        duration_s=60.0,
        truncated=False,
        channels=2,
        channel=1,
        legs=(channel(0), channel(1)),
        spans=(Span(1.0, 12.0), Span(20.0, 30.0)),
        music=(Span(40.0, 45.0),),
        tones=(Span(50.0, 51.0),),
        others=(Span(31.0, 33.0),),
        people=2,
        windows=(Window(20.0, 35.0, 1, _MEASURES, 0.9),),
        refused=(Refused(1.0, 16.0, VoiceFailure("noisy", 'too "loud" <around>')),),
    )


def usable(name: str) -> Verdict:
    return Verdict(asked=Asked(file=Path(name), speaker_id="anna"), heard=heard(), audio_sha256="0" * 64)


def endless() -> Verdict:
    """One that can't be drawn."""
    return replace(usable("/calls/b.wav"), heard=replace(heard(), spans=(Span(0.0, math.inf),)))


def refused(name: str, code: str = "corrupt") -> Verdict:
    return Verdict(asked=Asked(file=Path(name)), refusal=VoiceFailure(code, "it can't be read; export it again"))


def text_of(*verdicts: Verdict) -> str:
    return "".join(parts(verdicts, folder=Path("/reports")))


def test_a_card_shows_verdict_measures_channels_and_stretches() -> None:
    text = text_of(usable("/calls/a.wav"), refused("/calls/b.mp3"), refused("/calls/c.mp3"))
    page = Page(text)
    assert [(kind["class"], kind["data-code"]) for tag, kind in page.tags if tag == "article"] == [
        ("usable", "usable"),
        ("refused", "corrupt"),
        ("refused", "corrupt"),
    ]
    for words in ("3 all", "1 usable", "2 corrupt", "anna", "13.5 s", "2 people speak", "▶ noisy: 00:01.0 to 00:16.0"):
        assert words in page.words, words
    assert "voice likeness" not in page.words  # it is not known of this one
    kinds = [kind.get("class") for tag, kind in page.tags if tag == "path"]
    assert kinds == ["wave", "speech", "wave", "speech", "others", "music", "tones"]
    buttons = [kind for tag, kind in page.tags if tag == "button" and "data-start" in kind]
    assert [(one["class"], one["data-start"], one["data-end"]) for one in buttons] == [
        ("window", "20.000", "35.000"),
        ("rejected", "1.000", "16.000"),
    ]


@pytest.mark.parametrize(
    "name",
    [
        '"><script>alert(1)</script>.wav',
        "<img src=x onerror=alert(1)>.wav",
        "' onmouseover='alert(1).wav",
        "javascript:alert(1).wav",
        "$style ${x} %00 #part?query.wav",
        "caf\udce9 \u202e vaw.wav",
    ],
)
def test_no_name_becomes_part_of_the_page(name: str) -> None:
    tame, hostile = Page(text_of(usable("/calls/a.wav"))), Page(text_of(usable(f"/calls/{name}")))
    assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in tame.tags]
    assert [kind.keys() for _, kind in hostile.tags] == [kind.keys() for _, kind in tame.tags]
    assert name.encode(errors="replace").decode() in hostile.words or "caf\ufffd" in hostile.words


def test_a_row_that_names_no_file_is_known_by_its_line() -> None:
    asked = Asked(file=Path("calls.csv"), line=5, refusal=VoiceFailure("bad_row", "line 5: no CSV"))
    page = Page(text_of(Verdict(asked=asked, refusal=asked.refusal), refused("/calls/b.mp3", "not_found")))
    assert "calls.csv:5 bad_row" in page.words
    assert "/calls/b.mp3 not_found" in page.words


def test_the_page_refers_to_the_sound_and_to_nothing_else() -> None:
    text = text_of(usable("/calls/a b.wav"))
    outside = [
        value for _, kind in Page(text).tags for name, value in kind.items() if name in {"src", "href", "action"}
    ]
    assert outside == ["./../calls/a%20b.wav"]
    assert not re.search(r"https?:|data:|url\(|@import|style=| on\w+=", text)


def test_nothing_runs_but_the_script_that_the_policy_names() -> None:
    text = text_of(usable("/calls/a.wav"))
    (policy,) = [kind["content"] for tag, kind in Page(text).tags if kind.get("http-equiv")]
    assert policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    for tag in ("script", "style"):
        (inside,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert f"{tag}-src 'sha256-{base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()}'" in policy


@pytest.mark.parametrize("name", [b"a.wav", b"sub/a: b?c#d%41.wav", b"caf\xe9.wav", b"../up.wav"])
def test_the_address_leads_to_the_file(name: bytes) -> None:
    file = Path("/calls", name.decode(errors="surrogateescape"))
    led = urljoin("file:///reports/june/page.html", address(file, folder=Path("/reports/june")))
    assert unquote_to_bytes(led.removeprefix("file://")) == str(file.resolve()).encode(errors="surrogateescape")


def test_a_thousand_recordings_make_a_page_of_some_megabytes(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    write(page, [usable(f"/calls/{number}.wav") for number in range(1000)])
    assert page.stat().st_size < 10_000_000
    assert page.read_text().count("<article") == 1000


def test_a_page_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("the one before")
    with pytest.raises(OverflowError):  # as good as a full disk
        write(page, [usable("/calls/a.wav"), endless()])
    assert page.read_text() == "the one before"
    assert list(tmp_path.iterdir()) == [page]
    write(page, [usable("/calls/a.wav")])
    assert page.read_text().startswith("<!DOCTYPE html>")


def test_an_outline_is_as_long_as_it_may_be_and_keeps_the_loudest() -> None:
    assert outline(np.zeros(0, np.float32)) == b""
    power = np.full(10_000, 1e-9, np.float32)
    power[5000] = 1.0
    drawn = outline(power, points=100)
    assert (len(drawn), drawn[50], max(drawn), sum(drawn)) == (100, 100, 100, 100)
    assert len(outline(power[:7])) == 7
