"""The page of a plan: the sums, and everybody who is not ready with the reason. It refers to nothing, runs nothing."""

import base64
import hashlib
from collections.abc import Iterator
from html import escape
from typing import Any

from voxroll.planning import Planning
from voxroll.report_page import STYLE

_STYLE = STYLE + "table { border-collapse: collapse; } td, th { text-align: left; padding: .15rem .9rem .15rem 0; }"


def parts(planning: Planning, document: dict[str, Any], *, name: str) -> Iterator[str]:
    """The text of the page, piece by piece."""
    style_hash = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{style_hash}'; base-uri 'none'; form-action 'none'"
    yield '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" '
    yield f'content="{policy}"><meta name="referrer" content="no-referrer"><title>Plan of {escape(name)}</title>'
    yield f"<style>{_STYLE}</style></head><body><h1>Plan of {escape(name)}</h1>"
    for line in sums(document):
        yield f"<p>{escape(line)}</p>"
    yield "<h2>Not ready</h2><table><tr><th>speaker</th><th>outlook</th><th>short by</th><th>why</th></tr>\n"
    for speaker_id, person in planning.unready():
        short = person.short_by_s(planning.samples)
        codes = ", ".join(f"{code} {number}" for code, number in person.codes.most_common())
        cells = (speaker_id, person.outlook(planning.samples), f"{short:.1f} s", f"{codes} {person.reason}".strip())
        yield f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>\n"
    yield "</table></body></html>\n"


def sums(document: dict[str, Any]) -> list[str]:
    """The sums in words."""
    speakers, calls, hours, price = (document[name] for name in ("speakers", "calls", "hours", "price"))
    told = ", ".join(f"{number:,} {outlook}" for outlook, number in speakers.items() if number)
    lines = [f"{sum(speakers.values()):,} people in {document['rows']:,} rows: {told or 'nobody'}"]
    if document["codes"]:
        lines.append("rows that will not do: " + ", ".join(f"{code} {n:,}" for code, n in document["codes"].items()))
    create = calls["create"]
    add = f"{calls['fewest'] - create:,} to {calls['most'] - create:,}"
    lines.append(f"calls: {calls['fewest']:,} to {calls['most']:,}: {create:,} to create, {add} to add samples")
    if hours["most"] is not None:
        lines.append(f"hours at the allowed rate: {hours['fewest']:,} to {hours['most']:,}")
    if price:
        lines.append(f"price: {price['fewest']:,} to {price['most']:,}")
    if document["scale"] != 1:
        lines.append(f"an estimate: one of {document['scale']:.1f} people was looked at, calls are scaled up")
    return lines
