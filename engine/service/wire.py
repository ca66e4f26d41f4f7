"""Requests as the contract writes them, read into our words; every refusal names the parameter as it was sent.

The id is read under both of its spellings, base64 with line breaks is base64, and `encoding` is checked to be one of
the contract's words but not believed: what the audio is, its bytes tell.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from engine.service.failure import ApiError, invalid
from engine.service.orders import Diarize, Identify

Media = bytes | str  # the audio itself, or the URL that it lies at

ENCODINGS = ("Mpeg", "Mp4", "Wav", "Webm", "Webp", "Aac", "Avi", "Ogg")
ID_CHARS_MOST = 256
_KEY_CHARS_MOST = 255
URL_CHARS_MOST = 2048
_PER_PAGE = 100
PER_PAGE_MOST = 1000
IDS_MOST = 1000
AUDIO_TYPES = ("CallCenter", "Meeting", "EarningsCalls", "Interview", "PressConference", "Voicemail")
SPEAKERS_MOST = 2**31 - 1  # an int32, as the contract has it
ID_PATTERN = "[a-zA-Z0-9_]+"
PAGES_MOST = 2**31 - 1
_ID = re.compile(ID_PATTERN, re.ASCII)
_BLANKS = b" \t\r\n"


@dataclass(frozen=True, slots=True)
class SampleIn:
    """A sample as it was sent; `speaker_id` is None where the body names none, `sha256` empty where a URL came."""

    speaker_id: str | None
    parameter: str
    media: Media
    sha256: str


@dataclass(frozen=True, slots=True)
class ListIn:
    """Which page of the list."""

    complete_only: bool
    per_page: int
    page: int


def read_sample(raw: bytes) -> SampleIn:
    """EnrollmentInput or EnrollmentPatchInput. Computes: base64 and SHA-256 over the whole audio."""
    body = _object(raw)
    parameter, named = _either(body, "speakerId", "enrollmentId")
    speaker_id = read_id(named, parameter) if parameter in body else None
    media = _media(body)
    return SampleIn(speaker_id, parameter, media, hashlib.sha256(media).hexdigest() if isinstance(media, bytes) else "")


def read_sync_identify(raw: bytes) -> tuple[Identify, Media]:
    """SyncIdentifyInput: `languageCode` may be missing."""
    body = _object(raw)
    return Identify(_ids(body, least=1)), _media(body)


def read_identify(raw: bytes) -> tuple[Identify, Media]:
    """IdentifyInput. Voice activity is detected whether asked for or not."""
    body = _object(raw)
    _check_audio_input(body)
    return Identify(_ids(body, least=1)), _media(body)


def read_diarize(raw: bytes) -> tuple[Diarize, Media]:
    """DiarizeInput. Voice activity is detected whether asked for or not."""
    body = _object(raw)
    _check_audio_input(body)
    count = body.get("speakerCount", -1)
    if isinstance(count, bool) or not isinstance(count, int | float) or not -1 <= count <= SPEAKERS_MOST or count % 1:
        raise invalid("speakerCount", "how many people speak; left out, 0 or -1 where that is not known")
    task = Diarize(
        _ids(body, least=0),
        speaker_count=int(count) if count > 0 else None,
        by_channel=_flag(body, "separateSpeakerPerChannel"),
    )
    return task, _media(body)


def read_id(value: Any, parameter: str) -> str:
    """A speaker id: letters, digits and underscore."""
    if not isinstance(value, str) or not _ID.fullmatch(value) or len(value) > ID_CHARS_MOST:
        raise invalid(parameter, f"a string of 1 to {ID_CHARS_MOST} characters of [a-zA-Z0-9_]")
    return value


def read_list(query: Mapping[str, str]) -> ListIn:
    """`partial`, `perPage` and `page`, each with its default."""
    partial = query.get("partial", "false").lower()
    if partial not in {"true", "false"}:
        raise invalid("partial", "true or false")
    return ListIn(
        complete_only=partial == "false",
        per_page=_whole(query, "perPage", default=_PER_PAGE, most=PER_PAGE_MOST),
        page=_whole(query, "page", default=1, most=PAGES_MOST),
    )


def read_webhook(query: Mapping[str, str]) -> str | None:
    """Where the result is to be posted; None: it is waited for."""
    parameter, url = _either(query, "webhook", "webhookUrl")
    return None if url is None else read_url(url, parameter)


def read_url(url: Any, parameter: str) -> str:
    """An absolute URL of http or https."""
    fits = isinstance(url, str) and len(url) <= URL_CHARS_MOST and url.isascii() and url.isprintable()
    if not fits or " " in url or not _is_absolute(url):
        raise invalid(parameter, f"an absolute http or https URL of {URL_CHARS_MOST} ASCII characters at most")
    return str(url)


def _is_absolute(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def read_key(headers: Mapping[str, str]) -> str | None:
    """The Idempotency-Key, if there is one."""
    key = headers.get("Idempotency-Key")
    if key is not None and not (0 < len(key) <= _KEY_CHARS_MOST and key.isascii() and key.isprintable()):
        raise invalid("Idempotency-Key", f"1 to {_KEY_CHARS_MOST} printable ASCII characters")
    return key


def _object(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "invalid_body", "the body is no JSON; send a JSON object", parameter="body") from error
    if not isinstance(body, dict):
        raise ApiError(400, "invalid_body", "the body is no JSON object", parameter="body")
    return body


def _either(source: Mapping[str, Any], new: str, old: str) -> tuple[str, Any]:
    """The value under one of two spellings, and the spelling that was used; given both ways it must be the same."""
    if new in source and old in source and source[new] != source[old]:
        raise ApiError(400, "invalid_parameter", f"[{new}] and [{old}] differ; send one of them", parameter=new)
    name = old if old in source and new not in source else new
    return name, source.get(name)


def _check_audio_input(body: Mapping[str, Any]) -> None:
    """What AudioInput asks for beyond a sample."""
    if not body.get("languageCode"):
        raise invalid("languageCode", "given: a language like en-US")
    if not isinstance(body.get("source", ""), str):
        raise invalid("source", "a string like Phone, RingCentral or Zoom")
    if body.get("audioType", AUDIO_TYPES[0]) not in AUDIO_TYPES:
        raise invalid("audioType", f"one of {', '.join(AUDIO_TYPES)}")
    _flag(body, "enableVoiceActivityDetection")


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise invalid(name, "true or false")
    return value


def _ids(body: Mapping[str, Any], *, least: int) -> tuple[str, ...]:
    """Ids of enrolled speakers under either spelling, each once."""
    parameter, ids = _either(body, "speakerIds", "enrollmentIds")
    if parameter not in body and not least:
        return ()
    if not isinstance(ids, list) or not least <= len(ids) <= IDS_MOST:
        raise invalid(parameter, f"an array of {least} to {IDS_MOST} ids of enrolled speakers")
    return tuple(dict.fromkeys(read_id(one, parameter) for one in ids))


def _media(body: Mapping[str, Any]) -> Media:
    if body.get("encoding") not in ENCODINGS:
        raise invalid("encoding", f"one of {', '.join(ENCODINGS)}")
    if not isinstance(body.get("languageCode", ""), str):
        raise invalid("languageCode", "a string like en-US")
    if "contentUri" not in body:
        return _audio(body.get("content"))
    if "content" in body:
        raise invalid("contentUri", "left out where [content] is given; send exactly one of them")
    return read_url(body["contentUri"], "contentUri")


def _audio(content: Any) -> bytes:
    if not isinstance(content, str) or not content.isascii():
        raise invalid("content", "the audio file in base64")
    try:
        return base64.b64decode(content.encode().translate(None, _BLANKS), validate=True)
    except binascii.Error as error:
        raise invalid("content", f"the audio file in base64 ({error})") from error


def _whole(query: Mapping[str, str], name: str, *, default: int, most: int) -> int:
    text = query.get(name, str(default))
    number = int(text) if text.isascii() and text.isdigit() and len(text) < len(str(most)) + 1 else 0
    if not 0 < number <= most:
        raise invalid(name, f"a whole number from 1 to {most}")
    return number
