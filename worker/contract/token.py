"""The token in webhookUrl: it names one attempt, and only we can make it.

`version.claims.signature`, each part base64url. The signature is HMAC-SHA256 over the first two parts, compared in
constant time. Claims are account, speaker, recording, attempt and expiry: nothing secret, nothing of the voice.
"""

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import SecretStr

from worker.enrollment.errors import RequestError

_VERSION = "1"
_FORBIDDEN = 403


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """The one attempt that a callback may speak of."""

    account: str
    speaker_id: str
    recording_id: str
    attempt_id: str
    expires_at: datetime


def mint(claims: Claims, *, key: SecretStr) -> str:
    """Make the token for one attempt."""
    fields = [
        claims.account,
        claims.speaker_id,
        claims.recording_id,
        claims.attempt_id,
        round(claims.expires_at.timestamp()),
    ]
    signed = f"{_VERSION}.{_encode(json.dumps(fields, separators=(',', ':')).encode())}"
    return f"{signed}.{_encode(_sign(signed, key))}"


def verify(token: str, *, key: SecretStr, account: str, now: datetime) -> Claims:
    """Read a token that came back.

    Raises:
        RequestError: `callback_forged`, `callback_foreign` (another account's) or `callback_expired`.
    """
    signed, _, signature = token.rpartition(".")
    if not hmac.compare_digest(_encode(_sign(signed, key)).encode(), signature.encode()):
        raise RequestError("callback_forged", "the token in the URL was not made here", status=_FORBIDDEN)
    try:
        owner, speaker_id, recording_id, attempt_id, expires = json.loads(_decode(signed.partition(".")[2]))
    except (ValueError, binascii.Error) as error:
        raise RequestError("callback_forged", "the token in the URL can't be read", status=_FORBIDDEN) from error
    if owner != account:
        raise RequestError("callback_foreign", "the token belongs to another account", status=_FORBIDDEN)
    expires_at = datetime.fromtimestamp(expires, UTC)
    if now >= expires_at:
        message = f"the token expired at {expires_at:%Y-%m-%dT%H:%M:%SZ}; the result is fetched from the API instead"
        raise RequestError("callback_expired", message, status=_FORBIDDEN)
    return Claims(
        account=owner, speaker_id=speaker_id, recording_id=recording_id, attempt_id=attempt_id, expires_at=expires_at
    )


def _sign(signed: str, key: SecretStr) -> bytes:
    return hmac.digest(key.get_secret_value().encode(), signed.encode(), hashlib.sha256)


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
