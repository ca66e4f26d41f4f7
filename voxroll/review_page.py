"""The page of a review: people whom the plan doubts, their recordings, and what to do about each.

Every recording is a card that can be decided by its buttons or by a key. The server makes the cards, also the one that
takes the place of a card that was decided. All that comes from outside is escaped.
"""

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

from voxroll.plan_file import Decision, Entry
from voxroll.review_frame import PAGE, SCRIPT, STYLE
from voxroll.reviewing import SHOWN, Review
from voxroll.show import clock

_NAMES = {"doubtful": "in doubt", "decided": "decided", "all": "everybody"}


def page(review: Review, *, name: str, show: str, find: str, number: int) -> str:
    """The page of that number, from 1; one that is not there is the last.

    Args:
        review: the plan.
        name: of its file.
        show: who is shown, as of `Review.people`.
        find: a part of the ids of those who are shown instead; empty: nobody is looked for.
        number: of the page.
    """
    people = review.found(find) if find else review.people(show)
    last = max(1, -(-len(people) // SHOWN))
    number = min(number, last)
    shown = people[(number - 1) * SHOWN : number * SHOWN]
    text = PAGE.substitute(
        name=escape(name),
        style=STYLE,
        script=SCRIPT,
        sums=escape(review.sums()),
        filters="".join(
            _link(f"?show={one}", f"{label} ({len(review.people(one)):,})", is_here=one == show and not find)
            for one, label in _NAMES.items()
        ),
        find=escape(find),
        people="".join(person(entries) for entries in shown) or "<p>There is nobody.</p>\n",
        pages="".join(_pages(f"find={quote(find)}" if find else f"show={show}", number, last)),
    )
    return text.encode("utf-8", "replace").decode()  # half characters, of which names may be made


def person(entries: Sequence[Entry]) -> str:
    """What the page shows of one person."""
    together = (
        '<button data-do="all-accept">accept all</button><button data-do="all-reject">reject all</button>'
        if len(entries) > 1
        else ""
    )
    cards = "".join(map(card, entries))
    return f"<section><h2>{escape(entries[0].speaker_id)}</h2>{together}{cards}</section>\n"


def card(entry: Entry) -> str:
    """What it shows of one recording."""
    sample, row = entry.sample, entry.row()
    source = row.source if row else ""
    doubts = "".join(f"<p>{escape(code)}: {escape(why)}</p>" for code, why in entry.doubts.items())
    return (
        f'<article tabindex="-1" class="{entry.decision}" data-line="{entry.line}" data-is="{entry.is_}">'
        f'<h3><bdi title="{escape(source)}">{escape(Path(source).name)}</bdi> '
        f'<span class="chip">{entry.decision}</span></h3>{doubts}<p class="dim">{_stretch(entry)}</p>'
        f'<div class="play">{_button("play", "▶ play", "p")}{_button("accept", "accept", "a")}'
        f"{_button('reject', 'reject', 'r')}{'' if entry.decision is Decision.OPEN else _button('undo', 'undo', 'u')}"
        f"{_field('start', 'from', sample.get('startS', 0))}{_field('end', 'to', sample.get('endS', ''))}"
        f"{_field('channel', 'channel', sample['channel']) if sample.get('channel') is not None else ''}"
        f"{_button('move', 'move there', 'm')}</div></article>"
    )


def _stretch(entry: Entry) -> str:
    sample = entry.sample
    try:
        start_s, end_s = float(sample["startS"]), float(sample["endS"])
        told = f"{clock(start_s)} to {clock(end_s)}, {entry.speech_s:.1f} s of speech"
    except (KeyError, TypeError, ValueError, OverflowError):
        return "nobody has looked at it"
    channel = sample.get("channel")
    return escape(told + ("" if channel is None else f", channel {channel}"))


def _button(what: str, label: str, key: str) -> str:
    return f'<button data-do="{what}" aria-keyshortcuts="{key}">{label}</button>'


def _field(name: str, label: str, value: object) -> str:
    shown = f"{value:.3f}" if isinstance(value, float) else str(value)
    return f'<label>{label} <input name="{name}" value="{escape(shown)}" autocomplete="off" spellcheck="false"></label>'


def _pages(who: str, number: int, last: int) -> Iterator[str]:
    if number > 1:
        yield _link(f"?{who}&page={number - 1}", "previous")
    if last > 1:
        yield f"<span>page {number:,} of {last:,}</span>"
    if number < last:
        yield _link(f"?{who}&page={number + 1}", "next")


def _link(where: str, label: str, *, is_here: bool = False) -> str:
    return f'<a href="{escape(where)}"{" aria-current=page" if is_here else ""}>{escape(label)}</a>'
