"""The token in webhookUrl: it names one attempt, and only we can make it.

`version.key.claims.signature`. The key is named by the first 8 hex digits of its SHA-256, so that tokens of a former
key are still read while the current one signs; the claims are base64url of JSON: account, speaker, recording, attempt
and expiry, nothing secret, nothing of the voice. The signature is HMAC-SHA256 over all before it, compared in constant
time.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import SecretStr
from pydantic_core import from_json

from worker.enrollment.errors import RequestError

_VERSION = "2"  # 1 did not name its key
_KEY_ID_CHARS = 8
_FORBIDDEN = 403


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """The one attempt that a callback may speak of."""

    account: str
    speaker_id: str
    recording_id: str
    attempt_id: str
    expires_at: datetime


class KeyRing:
    """The keys that a token may be signed with, found by their ids.

    Args:
        current: the key that signs now.
        former: keys that signed before, whose tokens are still under way.
    """

    def __init__(self, current: SecretStr, former: Iterable[SecretStr] = ()) -> None:
        raws = (key.get_secret_value().encode() for key in (*former, current))
        self._keys = {_key_id(raw): raw for raw in raws if raw}

    def find(self, key_id: str) -> bytes | None:
        """The key of this id, if it is one of ours."""
        return self._keys.get(key_id)


def mint(claims: Claims, *, key: SecretStr) -> str:
    """Make the token for one attempt."""
    fields = [
        claims.account,
        claims.speaker_id,
        claims.recording_id,
        claims.attempt_id,
        round(claims.expires_at.timestamp()),
    ]
    raw = key.get_secret_value().encode()
    signed = f"{_VERSION}.{_key_id(raw)}.{_encode(json.dumps(fields, separators=(',', ':')).encode())}"
    return f"{signed}.{_sign(signed, raw)}"


def verify(token: str, *, keys: KeyRing, account: str, now: datetime) -> Claims:
    """Read a token that came back.

    Raises:
        RequestError: `callback_forged`, `callback_foreign` (another account's) or `callback_expired`.
    """
    signed, _, signature = token.rpartition(".")
    version, _, rest = signed.partition(".")
    key_id, _, claimed = rest.partition(".")
    key = keys.find(key_id)
    if version != _VERSION or key is None or not token.isascii():
        raise _forged("the token in the URL was not made here")
    if not hmac.compare_digest(_sign(signed, key), signature):
        raise _forged("the token in the URL was not made here")
    try:
        owner, speaker_id, recording_id, attempt_id, expires = from_json(
            _decode(claimed)
        )  # json.loads: 6 times as long
    except ValueError as error:
        raise _forged("the token in the URL can't be read") from error
    if owner != account:
        raise RequestError("callback_foreign", "the token belongs to another account", status=_FORBIDDEN)
    expires_at = datetime.fromtimestamp(expires, UTC)
    if now >= expires_at:
        message = f"the token expired at {expires_at:%Y-%m-%dT%H:%M:%SZ}; the result is fetched from the API instead"
        raise RequestError("callback_expired", message, status=_FORBIDDEN)
    return Claims(
        account=owner, speaker_id=speaker_id, recording_id=recording_id, attempt_id=attempt_id, expires_at=expires_at
    )


def _forged(message: str) -> RequestError:
    return RequestError("callback_forged", message, status=_FORBIDDEN)


def _key_id(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()[:_KEY_ID_CHARS]


def _sign(signed: str, key: bytes) -> str:
    return _encode(hmac.digest(key, signed.encode(), "sha256"))


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
