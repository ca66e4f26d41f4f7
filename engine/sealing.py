"""Sealing what tells of voices: AES-256-GCM under a data key made for each write, which is sealed under a key of ours.

The data key lies beside what it seals; our key is made of a setting by HKDF-SHA256. Both seals are bound to a place
(whose it is, and where it lies), so that nothing sealed can stand in for anything else. Without the data key what was
sealed is gone. A change of our key seals the data keys anew and touches nothing else. A data key per write needs no
count of nonces. Pure but for random numbers; knows neither HTTP nor Redis.

A sealed data key: format (1 byte), name of our key (4), nonce (12), data key (32), tag (16). Sealed content: format
(1), nonce (12), content, tag (16).
"""

import os
from collections.abc import Sequence
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_FORMAT = b"\x01"
_NAME_BYTES, _NONCE_BYTES, _KEY_BYTES, _TAG_BYTES = 4, 12, 32, 16
SEALED_KEY_BYTES = 1 + _NAME_BYTES + _NONCE_BYTES + _KEY_BYTES + _TAG_BYTES


class Sealed(NamedTuple):
    """What is written down: the sealed data key, and the content sealed under it."""

    key: bytes
    content: bytes


class ForeignKeyError(Exception):
    """Sealed under a key that isn't ours; nothing is lost once it is. `name` is that key's, in hex."""

    def __init__(self, name: str) -> None:
        super().__init__(f"sealed under key {name}")
        self.name = name


class BrokenSealError(Exception):
    """Not what was sealed for this place, or not sealed at all."""


class Sealer:
    """Seals and opens.

    Args:
        key: the setting; new seals are made with it.
        former: earlier ones, which still open what they sealed.
        purpose: what the key is for; one setting makes different keys for different purposes.
    """

    def __init__(self, key: str, *, former: Sequence[str] = (), purpose: str) -> None:
        derived = [_derived(text, purpose) for text in (key, *former)]
        self._ours = {name: AESGCM(secret) for name, secret in derived}
        self._current = derived[0][0]

    @property
    def name(self) -> str:
        """What the current key is called, in hex: a hash of it."""
        return self._current.hex()

    def seal(self, content: bytes, *, place: str) -> Sealed:
        """Seal content under a new data key, for this place."""
        data_key = AESGCM.generate_key(8 * _KEY_BYTES)
        nonce = os.urandom(_NONCE_BYTES)
        sealed = AESGCM(data_key).encrypt(nonce, content, _bound("vectors", place))
        return Sealed(self._seal_key(data_key, place=place), _FORMAT + nonce + sealed)

    def open(self, sealed: Sealed, *, place: str) -> bytes:
        """The content.

        Raises:
            ForeignKeyError, BrokenSealError: it can't be opened.
        """
        data_key = self._open_key(sealed.key, place=place)
        form, nonce, rest = _parted(sealed.content, 1, _NONCE_BYTES)
        try:
            if form == _FORMAT:
                return AESGCM(data_key).decrypt(nonce, rest, _bound("vectors", place))
        except (InvalidTag, ValueError):
            pass
        raise BrokenSealError

    def renewed(self, key: bytes, *, place: str) -> bytes | None:
        """A sealed data key under our current key; None if it is so already.

        Raises:
            ForeignKeyError, BrokenSealError: as for `open`.
        """
        form, name, _ = _parted(key, 1, _NAME_BYTES)
        if form == _FORMAT and name == self._current:
            return None
        return self._seal_key(self._open_key(key, place=place), place=place)

    def _seal_key(self, data_key: bytes, *, place: str) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ours[self._current].encrypt(nonce, data_key, _bound("key", place))
        return _FORMAT + self._current + nonce + sealed

    def _open_key(self, key: bytes, *, place: str) -> bytes:
        form, name, nonce, rest = _parted(key, 1, _NAME_BYTES, _NONCE_BYTES)
        if form != _FORMAT:
            raise BrokenSealError
        if (ours := self._ours.get(name)) is None:
            raise ForeignKeyError(name.hex())
        try:
            return ours.decrypt(nonce, rest, _bound("key", place))
        except (InvalidTag, ValueError) as error:
            raise BrokenSealError from error


def _bound(field: str, place: str) -> bytes:
    """What a seal is good for."""
    return f"{field}:1:{place}".encode()


def _derived(text: str, purpose: str) -> tuple[bytes, bytes]:
    """The name and the secret made of a setting."""
    made = HKDF(SHA256(), length=_NAME_BYTES + _KEY_BYTES, salt=None, info=purpose.encode()).derive(text.encode())
    return made[:_NAME_BYTES], made[_NAME_BYTES:]


def _parted(whole: bytes, *lengths: int) -> list[bytes]:
    """Parts of these lengths and the rest; empty where there is too little."""
    ends = [sum(lengths[: number + 1]) for number in range(len(lengths))]
    return [whole[start:end] for start, end in zip([0, *ends], [*ends, None], strict=True)]
