"""Standard Webhooks: the secrets of the settings as keys, and the signature that sender and receiver make.

Both the front door, which checks callbacks, and the engine, which sends them, need it; neither may import the other.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hmac

from pydantic import SecretStr

from config.settings import SettingsError

_PREFIX = "whsec_"
_KEY_BYTES = range(24, 65)  # of the specification


def signing_keys(secret: SecretStr, *, variable: str) -> tuple[bytes, ...]:
    """The keys of a setting that may name several secrets, separated by spaces or commas.

    Raises:
        SettingsError: a secret that is not `whsec_` and base64 of 24 to 64 bytes; names the variable, not the secret.
    """
    return tuple(_key(one, variable) for one in secret.get_secret_value().replace(",", " ").split())


def signature(key: bytes, *, message_id: bytes, sent: bytes, body: bytes) -> bytes:
    """One signature over a message: `v1,` and base64 of its HMAC-SHA256.

    Args:
        key: one of `signing_keys`.
        message_id: the header webhook-id.
        sent: the header webhook-timestamp, seconds since 1970.
        body: the raw body.
    """
    return b"v1," + base64.b64encode(hmac.digest(key, b".".join((message_id, sent, body)), "sha256"))


def _key(secret: str, variable: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error as error:
        raise SettingsError(f"{variable}: what follows {_PREFIX} is not base64") from error
    if not secret.startswith(_PREFIX) or len(key) not in _KEY_BYTES:
        raise SettingsError(f"{variable}: {_PREFIX} and base64 of 24 to 64 bytes is needed")
    return key
