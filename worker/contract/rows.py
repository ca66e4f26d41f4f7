"""A row of a manifest: whose recording, where it is, which channel and stretch of it, whether there is consent.

In: what a file says under whatever names and in whatever case. Out: rows, and bad rows named by line, field and reason.
A record may name several recordings in a list, or be one of RingCentral's call log; each recording is a row.
"""

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from worker.contract.fields import SHOWN, WHOLE, FieldError, Stretch, language_of, short, stretch_of
from worker.contract.ids import is_speaker_id, wrong_id

SEPARATOR = "|"  # of several recordings in one cell

_NAMES = {
    "source": ("source", "file", "path", "url", "recording", "audio"),
    "recordings": ("recordings",),
    "channel": ("channel",),
    "speakerId": ("speakerid", "enrollmentid", "id"),
    "consent": ("consent",),
    "rejected": ("rejected",),
    "ref": ("ref", "reference"),
    "start": ("start", "starts"),
    "end": ("end", "ends"),
    "language": ("language", "languagecode", "lang"),
}
KNOWN = frozenset(name for names in _NAMES.values() for name in names)
SOURCES = _NAMES["source"]
_CHANNEL = re.compile(r"[0-9]{1,3}")
_YES_OR_NO = dict.fromkeys(("yes", "y", "true", "1"), True) | dict.fromkeys(("no", "n", "false", "0"), False)
_LONGEST_REF = 200
_SIDES = {"inbound": "to", "outbound": "from"}  # the own party of a call


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row that can be read.

    Attributes:
        line: of the manifest it begins on, from 1; in a JSON document the number of the record.
        source: path or address of a recording.
        channel: the speaker is on, from 0; None where the manifest doesn't say.
        stretch: in which the sample is looked for; the whole recording where the manifest doesn't say.
        language: that is spoken, a tag like en-US; None likewise.
        speaker_id: whose voice it is; None likewise.
        consent: whether the speaker agreed; None likewise.
        ref: what the caller knows the row by.
        rejected: a person has listened and decided that it is not to be handed in.
    """

    line: int
    source: str
    channel: int | None = None
    stretch: Stretch = WHOLE
    language: str | None = None
    speaker_id: str | None = None
    consent: bool | None = None
    ref: str | None = None
    rejected: bool = False

    def told(self, *, source: str) -> dict[str, Any]:
        """The row as a line of another manifest, its recording named anew."""
        start_s, end_s = self.stretch.start_s or None, self.stretch.end_s
        told = {"speakerId": self.speaker_id, "source": source, "channel": self.channel, "start": start_s, "end": end_s}
        told |= {"language": self.language, "consent": self.consent, "ref": self.ref, "rejected": self.rejected or None}
        return {name: value for name, value in told.items() if value is not None}


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that can't: on which line, which field (empty: the row as a whole), and what is wrong with it.

    `speaker_id` and `ref` say whose it is, where that can be read.
    """

    line: int
    field: str
    reason: str
    place: str = "line"
    speaker_id: str | None = None
    ref: str | None = None

    def __str__(self) -> str:
        """Tell people."""
        return f"{self.place} {self.line}{', ' if self.field else ''}{self.field}: {self.reason}"


def name_of(text: str) -> str:
    """The name of a field, as it is looked for: in any case, with or without `_`, `-` and spaces."""
    return re.sub(r"[\s_-]", "", text).casefold()


def rows_of(line: int, record: Mapping[str, Any], *, place: str = "line") -> Iterator[Row | BadRow]:
    """The rows of a record, whose names are as `name_of` makes them; none of a call without a recording."""
    try:
        several = found(record, "recordings")
        if several is None:
            plain = _of_call(record)
            if plain is not None:
                yield _row(line, plain)
            return
        recordings = _recordings(several, record)
    except FieldError as error:
        yield _bad(line, record, error, place)
        return
    for one in recordings:
        try:
            yield _row(line, {**record, **one})
        except FieldError as error:
            yield _bad(line, {**record, **one}, error, place)


def _bad(line: int, record: Mapping[str, Any], error: FieldError, place: str) -> BadRow:
    whose: dict[str, str | None] = {}
    for name, field, read in (("speaker_id", "speakerId", speaker_id_of), ("ref", "ref", _ref)):
        with contextlib.suppress(FieldError):
            whose[name] = read(found(record, field))
    return BadRow(line, error.field, error.reason, place, **whose)


def _recordings(several: Any, record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What each recording of a list says for itself."""
    if found(record, "source") is not None:
        raise FieldError("recordings", "stands beside a recording of its own; put all into one of the two")
    listed = several.split(SEPARATOR) if isinstance(several, str) else several
    if not isinstance(listed, list) or not listed:
        raise FieldError("recordings", f"{short(several)} is no list of recordings; give paths, or objects")
    return [
        {name_of(name): value for name, value in one.items()} if isinstance(one, dict) else {SOURCES[0]: one}
        for one in listed
    ]


def _of_call(record: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """A record of RingCentral's call log as a plain one, None if it has no recording; any other as it is."""
    recording = record.get("recording")
    if isinstance(recording, dict):
        said = {"source": recording.get("contentUri"), "speakerid": _extension(record), "ref": record.get("id")}
        return said | {
            name: record.get(name) for name in ("channel", "consent", "rejected", "start", "end", "language")
        }
    is_call = "sessionid" in record and not any(record.get(name) for name in SOURCES)
    return None if is_call else record


def _extension(call: Mapping[str, Any]) -> Any:
    """The extension whose call it was: the record's own, or that of the party on this side."""
    own = _part(call.get("extension"), "id")
    if own is not None:
        return own
    parties = {side: _part(call.get(side), "extensionId") for side in _SIDES.values()}
    side = _SIDES.get(str(call.get("direction")).casefold())
    if side:
        return parties[side]
    known = [one for one in parties.values() if one is not None]
    if len(known) > 1:
        raise FieldError("speakerId", "both sides have an extension; say whose call it is by `direction`")
    return known[0] if known else None


def _part(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, dict) else None


def _row(line: int, record: Mapping[str, Any]) -> Row:
    return Row(
        line=line,
        source=_source(found(record, "source")),
        channel=_channel(found(record, "channel")),
        stretch=stretch_of(found(record, "start"), found(record, "end")),
        language=language_of(found(record, "language")),
        speaker_id=speaker_id_of(found(record, "speakerId")),
        consent=consent_of(found(record, "consent")),
        ref=_ref(found(record, "ref")),
        rejected=yes_or_no("rejected", found(record, "rejected")) or False,
    )


def found(record: Mapping[str, Any], field: str) -> Any:
    """What a record says of a field under any of its names; empty text is nothing."""
    for name in _NAMES[field]:
        value = record.get(name)
        if isinstance(value, str):
            value = value.strip()
        if value is not None and value != "":
            return value
    return None


def _source(value: Any) -> str:
    if value is None:
        raise FieldError("source", "names no recording; give a path")
    if not isinstance(value, str):
        raise FieldError("source", f"{short(value)} is no text; give a path")
    return _text("source", value)


def _text(field: str, value: str) -> str:
    try:
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise FieldError(field, f"{short(value)} holds half a character; write the name anew") from error
    if "\0" in value:
        raise FieldError(field, f"{short(value)} holds a NUL, which no path has; write the name anew")
    return value


def _channel(value: Any) -> int | None:
    if value is None:
        return None
    text = str(value)
    if isinstance(value, bool) or not _CHANNEL.fullmatch(text):
        raise FieldError("channel", f"{short(value)} is no channel; give its number from 0, or nothing")
    return int(text)


def speaker_id_of(value: Any) -> str | None:
    """A speaker's id; None where nothing is said.

    Raises:
        FieldError: it is none.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise FieldError("speakerId", f"{short(value)} is no text; give an id")
    text = str(value)
    if not is_speaker_id(text):
        raise FieldError("speakerId", wrong_id(text) if len(text) <= SHOWN else f"{short(value)} is no id")
    return text


def consent_of(value: Any) -> bool | None:
    """Whether somebody agrees; None where nothing is said.

    Raises:
        FieldError: it is neither yes nor no.
    """
    return yes_or_no("consent", value)


def yes_or_no(field: str, value: Any) -> bool | None:
    """Yes or no; None where nothing is said.

    Raises:
        FieldError: it is neither.
    """
    if value is None:
        return None
    said = _YES_OR_NO.get(str(value).casefold())
    if said is None:
        raise FieldError(field, f"{short(value)} is neither yes nor no; say one of them, or nothing")
    return said


def _ref(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int) or len(str(value)) > _LONGEST_REF:
        raise FieldError("ref", f"{short(value)} is no text of up to {_LONGEST_REF} characters; give one, or nothing")
    return _text("ref", str(value))
