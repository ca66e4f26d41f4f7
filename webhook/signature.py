"""What a sender may prove beyond the token in the URL: a Standard Webhooks signature, a verification token.

Pure: headers and body in, a refusal out. Where the settings name a secret, its proof is required. Signatures are made
over the raw body, before anything is read from it, and all comparisons take the same time whatever is wrong.
"""

import hmac
from collections.abc import Mapping
from datetime import datetime

from config.settings import Webhook
from config.signing import signature, signing_keys
from webhook.plain import Headers
from worker.enrollment.errors import RequestError

_TOLERANCE_S = 300  # of the specification's libraries
_LONGEST_TIME = 12  # digits of seconds since 1970
_FORBIDDEN = 403


class Proof:
    """What is required of the sender by the settings.

    Raises:
        SettingsError: a secret that is not `whsec_` and base64 of 24 to 64 bytes.
    """

    def __init__(self, webhook: Webhook) -> None:
        self._keys = signing_keys(webhook.signing_secret, variable="VOXROLL_WEBHOOK_SIGNING_SECRET")
        self._token = webhook.verification_token.get_secret_value().encode()
        self.is_required = bool(self._keys or self._token)

    def check(self, headers: Headers, body: bytes, *, now: datetime) -> None:
        """Return if all that is required is there and right.

        Raises:
            RequestError: `callback_unverified`, `callback_unsigned`, `callback_signature_invalid`, `callback_stale`.
        """
        first = dict(reversed(headers))  # of several with one name the first counts
        if self._token:
            self._check_token(first)
        if self._keys:
            self._check_signature(first, body, now=now)

    def _check_token(self, headers: Mapping[bytes, bytes]) -> None:
        shown = headers.get(b"verification-token") or headers.get(b"validation-token", b"")
        if not hmac.compare_digest(shown, self._token):
            raise _refusal("callback_unverified", "the header Verification-Token is missing or wrong")

    def _check_signature(self, headers: Mapping[bytes, bytes], body: bytes, *, now: datetime) -> None:
        names = (b"webhook-id", b"webhook-timestamp", b"webhook-signature")
        message_id, sent, shown = (headers.get(name, b"") for name in names)
        if not (message_id and sent and shown):
            message = "the headers webhook-id, webhook-timestamp and webhook-signature are needed"
            raise _refusal("callback_unsigned", message)
        right = [signature(key, message_id=message_id, sent=sent, body=body) for key in self._keys]
        given = shown.split()
        if not any([hmac.compare_digest(one, other) for one in given for other in right]):  # noqa: C419 -- all, always
            raise _refusal("callback_signature_invalid", "no signature in webhook-signature fits the body")
        is_time = sent.isdigit() and len(sent) <= _LONGEST_TIME
        if not is_time or abs(now.timestamp() - int(sent)) > _TOLERANCE_S:
            when = sent[:_LONGEST_TIME].decode("latin-1")
            message = f"signed at {when}: more than {_TOLERANCE_S} s from now, a replay or a wrong clock"
            raise _refusal("callback_stale", message)


def _refusal(code: str, message: str) -> RequestError:
    return RequestError(code, message, status=_FORBIDDEN)
