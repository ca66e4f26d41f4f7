"""Verdicts as one page to look at and to listen to, for a browser without a network.

Per recording a card: verdict, message, measures, and each channel drawn with where somebody speaks, what is music,
tones or somebody else, the windows and the stretches that won't do. The page refers to the recordings where they lie
and holds none of their sound. Whatever comes from outside is escaped, and the page's policy lets nothing run but its
own script.
"""

import base64
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

from engine.voice.preflight import Refused, Window
from engine.voice.speech import Span
from voxroll.asked import readable
from voxroll.checked import codes
from voxroll.checking import Verdict
from voxroll.heard import Channel, Heard
from voxroll.remarks import remarks
from voxroll.report_page import PAGE, SCRIPT, STYLE
from voxroll.show import clock
from voxroll.whole import written

_WAVE_TOP, _WAVE = 18, 44  # pixels: over the wave the windows, under it a lane for each kind of span
_LANE, _BAR = 7, 5
_LEAKS_DB = -40.0  # from here on another party may be heard; compares false with NaN
_MEASURES = (  # name, label, how it is shown
    ("speech_s", "speech", "{:.1f} s"),
    ("longest_pause_s", "longest pause", "{:.1f} s"),
    ("snr_db", "speech over noise", "{:.0f} dB"),
    ("level_dbfs", "level", "{:.0f} dBFS"),
    ("clip_ratio", "clipped", "{:.2%}"),
    ("bandwidth_hz", "band up to", "{:,} Hz"),
    ("voices_p10", "voice likeness", "{:.2f}"),
    ("overlap", "two at once", "{:.1%}"),
)


def write(page: Path, verdicts: Sequence[Verdict]) -> None:
    """Write the page, whole or not at all; its owner alone may read it, for it tells of people.

    Raises:
        OSError: it can't be written.
    """
    with written(page) as file:
        file.writelines(parts(verdicts, folder=page.parent))


def parts(verdicts: Sequence[Verdict], *, folder: Path) -> Iterator[str]:
    """The text of a page that will lie in a folder, piece by piece."""
    head, tail = PAGE.substitute(
        style=STYLE,
        style_hash=_hash(STYLE),
        script=SCRIPT,
        script_hash=_hash(SCRIPT),
        totals=_totals(verdicts),
        cards="\0",
    ).split("\0")
    yield head
    for verdict in verdicts:
        yield card(verdict, folder=folder)
    yield tail


def card(verdict: Verdict, *, folder: Path) -> str:
    """What the page shows of one recording."""
    asked, refusal = verdict.asked, verdict.refusal
    code = refusal.code if refusal else "usable"
    whose = f' <span class="dim">{escape(asked.speaker_id)}</span>' if asked.speaker_id else ""
    told = "".join(f"<p>{escape(_sentence(one))}</p>" for one in remarks(verdict))
    name = f"<bdi>{escape(readable(asked.file))}{asked.row}</bdi>{whose}"
    return (
        f'<article class="{"refused" if refusal else "usable"}" data-code="{escape(code)}">'
        f'<h2>{name} <span class="chip">{escape(code)}</span></h2>{told}'
        f"{_inside(verdict, verdict.heard, folder) if verdict.heard else ''}</article>\n"
    )


def address(file: Path, *, folder: Path) -> str:
    """Where a file lies, seen from a folder, as a page refers to it."""
    there = os.path.relpath(Path.cwd() / file, Path.cwd() / folder)
    return "./" + quote(os.fsencode(there))


def _inside(verdict: Verdict, heard: Heard, folder: Path) -> str:
    best = _measures(verdict.windows[0]) if verdict.windows else ""
    stretches = [_button("window", window, str(number)) for number, window in enumerate(verdict.windows, 1)]
    stretches += [_button("rejected", one, one.failure.code, one.failure.message) for one in heard.refused]
    source = escape(address(verdict.file, folder=folder))
    return (
        f"{best}{''.join(_channel(verdict, heard, leg) for leg in heard.legs)}"
        f'<div class="play"><audio controls preload="none" src="{source}"></audio>{"".join(stretches)}</div>'
    )


def _measures(window: Window) -> str:
    told = window.measures.told()
    items = (
        f"<div><dt>{label}</dt><dd>{shown.format(told[name])}</dd></div>"
        for name, label, shown in _MEASURES
        if told[name] is not None
    )
    return f"<dl>{''.join(items)}</dl>"


def _button(kind: str, stretch: Window | Refused, label: str, title: str = "") -> str:
    at = f"{clock(stretch.start_s)} to {clock(stretch.end_s)}"
    return f'<button class="{kind}"{_times(stretch)} title="{escape(title)}">▶ {escape(label)}: {at}</button>'


def _times(stretch: Window | Refused) -> str:
    return f' data-start="{stretch.start_s:.3f}" data-end="{stretch.end_s:.3f}"'


def _channel(verdict: Verdict, heard: Heard, leg: Channel) -> str:
    """A drawing of one channel; of the one that was searched with all that was found."""
    searched = leg.number == heard.channel
    lanes = [("speech", heard.spans if searched else leg.speech)]
    if searched:
        lanes += [("others", heard.others), ("music", heard.music), ("tones", heard.tones)]
    used = [(number, kind, spans) for number, (kind, spans) in enumerate(lanes) if spans]
    top = _WAVE_TOP + _WAVE + 2
    drawn = "".join(_lane(kind, spans, heard, top=top + number * _LANE) for number, kind, spans in used)
    height = top + _LANE * max((number + 1 for number, _, _ in used), default=0)
    caption = _caption(heard, leg)
    return (
        f'<figure><figcaption>{caption}</figcaption><svg class="channel" width="100%" height="{height}" '
        f'data-begin="{heard.start_s:.3f}" data-length="{heard.duration_s:.3f}" role="img" aria-label="{caption}">'
        f"{_wave(leg.outline)}{drawn}{_stretches(verdict, heard) if searched else ''}</svg></figure>"
    )


def _caption(heard: Heard, leg: Channel) -> str:
    told = f"{clock(heard.duration_s)}, {leg.speech_s:.0f} s of speech"
    if heard.channels == 1:
        return told
    if leg.number is None:
        return f"{heard.channels} channels with the same sound: {told}"
    taken = ", searched" if len(heard.legs) > 1 and leg.number == heard.channel else ""
    leaks = f", others leak in at {leg.leakage_db:.0f} dB" if leg.leakage_db > _LEAKS_DB else ""
    return f"channel {leg.number}{taken}: {told}{leaks}"


def _wave(outline: bytes) -> str:
    """The loudness as one path of steps, stretched to the width."""
    steps, last = [], 0
    for level, run in groupby(outline):
        steps.append(f"v{last - level}h{sum(1 for _ in run)}")
        last = level
    return (
        f'<svg x="0" y="{_WAVE_TOP}" width="100%" height="{_WAVE}" viewBox="0 0 {max(1, len(outline))} 100" '
        f'preserveAspectRatio="none"><path class="wave" d="M0 100{"".join(steps)}V100z"/></svg>'
    )


def _lane(kind: str, spans: Iterable[Span], heard: Heard, *, top: int) -> str:
    """All spans of one kind as one path, in hundredths of a second."""
    hundredths = ((round(span.start_s * 100), round(span.duration_s * 100)) for span in spans)
    drawn = "".join(f"M{start} 0h{length}v1h-{length}z" for start, length in hundredths)
    box = f"{heard.start_s * 100:.0f} 0 {heard.duration_s * 100:.0f}"
    return (
        f'<svg x="0" y="{top}" width="100%" height="{_BAR}" viewBox="{box} 1" '
        f'preserveAspectRatio="none"><path class="{kind}" d="{drawn}"/></svg>'
    )


def _stretches(verdict: Verdict, heard: Heard) -> str:
    """Boxes over the wave, each with its number or code; what won't do lies under what will."""
    refused = [_box("rejected", one, one.failure.code, heard) for one in reversed(heard.refused)]
    windows = [_box("window", window, str(number), heard) for number, window in enumerate(verdict.windows, 1)]
    return "".join([*refused, *reversed(windows)])


def _box(kind: str, stretch: Window | Refused, label: str, heard: Heard) -> str:
    parts = (stretch.start_s - heard.start_s, stretch.end_s - stretch.start_s)
    left, width = (f"{100 * part / heard.duration_s:.2f}%" for part in parts)
    told = f"{escape(label)}: {clock(stretch.start_s)} to {clock(stretch.end_s)}"
    return (
        f'<g class="{kind}"{_times(stretch)}><title>{told}</title>'
        f'<rect x="{left}" y="1" width="{width}" height="{_WAVE_TOP + _WAVE - 1}"/>'
        f'<svg x="{left}" width="{width}" height="{_WAVE_TOP}"><text x="4" y="14">{escape(label)}</text></svg></g>'
    )


def _totals(verdicts: Sequence[Verdict]) -> str:
    """Buttons that show all, or those of one code."""
    refused = codes(verdicts)
    counts = [("all", "", len(verdicts)), ("usable", "usable", len(verdicts) - refused.total())]
    counts += [("refused", "refused", refused.total())] if refused else []
    counts += [(code, code, number) for code, number in refused.most_common()]
    return " ".join(
        f'<button data-show="{escape(show)}" aria-pressed="{"true" if not show else "false"}">{number} {escape(name)}'
        "</button>"
        for name, show, number in counts
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
