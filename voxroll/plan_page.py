"""The page of a plan: the sums, and everybody who is not ready with the reason. It refers to nothing, runs nothing."""

import base64
import hashlib
from collections import Counter
from collections.abc import Iterator
from html import escape
from typing import Any

from voxroll.planning import Outlook, Person, Planning
from voxroll.report_page import STYLE

LABELS = {Outlook.ENROLLED: "enrolled already", Outlook.DOUBTFUL: "perhaps somebody else"}
_WHY = {
    Outlook.SHORT: "too little speech in all recordings together; hand in more of other conversations",
    Outlook.UNSEEN: "its recordings lie at addresses, where nobody has looked",
}
_NUMBER = 2  # the column of seconds
_STYLE = f"""{STYLE}
table {{ border-collapse: collapse; width: 100%; }}
thead th {{ position: sticky; top: 0; background: var(--back); border-bottom: 1px solid var(--line); }}
td, th {{ text-align: left; vertical-align: top; padding: .25rem .9rem .25rem 0; }}
td {{ border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }}
h2 {{ margin-top: 1.2rem; }}
@media (max-width: 45rem) {{ thead {{ display: none; }} td {{ display: block; border: 0; padding: 0; }}
  tr {{ display: block; padding: .4rem 0; border-bottom: 1px solid var(--line); }}
  td:first-child {{ font-weight: bold; }} td.number {{ text-align: left; }} }}
.number {{ text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }}
"""


def parts(planning: Planning, document: dict[str, Any], *, name: str) -> Iterator[str]:
    """The text of the page, piece by piece."""
    style_hash = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{style_hash}'; base-uri 'none'; form-action 'none'"
    yield '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" '
    yield f'content="{policy}"><meta name="referrer" content="no-referrer">'
    yield f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>Plan of {escape(name)}</title>'
    yield f"<style>{_STYLE}</style></head><body><h1>Plan of {escape(name)}</h1>"
    for line in sums(document):
        yield f"<p>{escape(line[:1].upper() + line[1:])}.</p>"
    unready = list(planning.unready())
    if unready:
        yield "<h2>Not ready</h2>"
        yield "<table><thead><tr><th>speaker<th>outlook<th class=number>short by<th>rows that will not do<th>why"
        yield "</tr></thead><tbody>\n"
        for speaker_id, person in unready:
            yield _line(speaker_id, person, planning.samples)
        yield "</tbody></table>"
    if planning.bad:
        more = planning.nobody["bad_row"] - len(planning.bad)
        yield f"<h2>Rows that can't be read{f': the first, and {more:,} more' if more else ''}</h2>"
        yield from (f"<p>{escape(one)}</p>\n" for one in planning.bad)
    yield "</body></html>\n"


def _line(speaker_id: str, person: Person, samples: int) -> str:
    outlook = person.outlook(samples)
    short = f"{person.short_by_s(samples):.1f} s" if outlook is Outlook.SHORT else ""
    codes = ", ".join(f"{code} {number}" for code, number in Counter(person.codes).most_common())
    doubts = "; ".join(f"{code}: {words}" for code, words in sorted(person.doubts.items()))
    why = doubts if outlook is Outlook.DOUBTFUL else person.reason or _WHY.get(outlook, "")
    told = [escape(text) for text in (speaker_id, LABELS.get(outlook, outlook), short, codes, why)]
    cells = "".join(f"<td{' class=number' if number == _NUMBER else ''}>{one}" for number, one in enumerate(told))
    return f"<tr>{cells}</tr>\n"


def sums(document: dict[str, Any]) -> list[str]:
    """The sums in words."""
    speakers, calls, hours, price = (document[name] for name in ("speakers", "calls", "hours", "price"))
    told = ", ".join(f"{number:,} {LABELS.get(outlook, outlook)}" for outlook, number in speakers.items() if number)
    lines = [f"{sum(speakers.values()):,} people in {document['rows']:,} rows: {told or 'nobody'}"]
    if short := document["shortBy"]:
        lines.append(f"short by {short['median']:.1f} s of speech in the middle, by {short['most']:.1f} s at most")
    if document["codes"]:
        lines.append("rows that will not do: " + ", ".join(f"{code} {n:,}" for code, n in document["codes"].items()))
    create = calls["create"]
    add = _range({"fewest": max(0, calls["fewest"] - create), "most": calls["most"] - create}, "{:,}")
    lines.append(f"calls: {_range(calls, '{:,}')}: {create:,} to create, {add} to add samples")
    if hours["most"] is not None:
        lines.append(f"hours at the allowed rate: {_range(hours, '{:,.2f}')}")
    if price:
        lines.append(f"price: {_range(price, '{:,.2f}')}")
    if document["scale"] != 1:
        lines.append(f"an estimate: one of {document['scale']:.1f} people was looked at, calls are scaled up")
    if document["badConsents"]:
        lines.append(f"{document['badConsents']:,} consents can't be read and are none; {document['badConsent']}")
    if not document["asked"]:
        lines.append(f"nobody was asked who is enrolled, erased or opted out ({document['unasked']})")
    return lines


def _range(bounds: dict[str, Any], shown: str) -> str:
    low, high = (shown.format(bounds[name]) for name in ("fewest", "most"))
    return low if low == high else f"{low} to {high}"
