"""Voiceprints are kept sealed: AES-256-GCM under a data key of the speaker's own, which is sealed under ours.

A data key is made anew for every write and lives beside the prints; our key is made of the setting by HKDF-SHA256. Both
seals are bound to the account, the speaker, the version of the enrollment and the field, so that nothing sealed can
stand in for anything else. Without the data key, as in a tombstone, the prints are gone. A change of our key seals the
data keys anew and touches no print. Pure but for random numbers.

A sealed data key: format (1 byte), name of our key (4), nonce (12), data key (32), tag (16). Sealed prints: format (1),
nonce (12), prints, tag (16).
"""

import os
from collections.abc import Sequence
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from engine.service.failure import CMN_INTERNAL, ApiError, NotReadyError

_FORMAT = b"\x01"
_NAME_BYTES, _NONCE_BYTES, _KEY_BYTES = 4, 12, 32
_INFO = b"voxroll: key of voiceprints, 1"


class Sealed(NamedTuple):
    """What is written down: the sealed data key, and the prints sealed under it."""

    key: bytes
    prints: bytes


class UnknownKeyError(NotReadyError):
    """503: sealed under a key that this engine was not given; nothing is lost once it is."""

    def __init__(self, speaker_id: str, name: bytes) -> None:
        message = (
            f"the voiceprints of {speaker_id} are sealed under key {name.hex()}, which this engine was not given; "
        )
        message += "put it into VOXROLL_ENGINE_FORMER_VOICE_KEYS"
        super().__init__(message, code="voice_key_unknown")


class DamagedError(ApiError):
    """500: these prints can't be opened, by no key that we know."""

    def __init__(self, speaker_id: str) -> None:
        message = f"the voiceprints held of {speaker_id} are not what was sealed for this speaker; "
        message += "restore them, or delete the enrollment and begin anew"
        super().__init__(500, "voiceprints_damaged", message, error_code=CMN_INTERNAL)


class Seal:
    """Seals and opens the prints of one account.

    Args:
        key: the setting; new seals are made with it.
        former: earlier ones, which still open what they sealed.
        account: whose prints.
    """

    def __init__(self, key: str, *, former: Sequence[str] = (), account: str) -> None:
        derived = [_derived(text) for text in (key, *former)]
        self._ours = {name: AESGCM(secret) for name, secret in derived}
        self._current = derived[0][0]
        self._account = account

    @property
    def name(self) -> str:
        """What the current key is called, in hex: a hash of it."""
        return self._current.hex()

    def seal(self, prints: bytes, *, speaker_id: str, version: int) -> Sealed:
        """Seal prints under a new data key, for exactly this version of this speaker."""
        data_key = AESGCM.generate_key(8 * _KEY_BYTES)
        nonce = os.urandom(_NONCE_BYTES)
        sealed = AESGCM(data_key).encrypt(nonce, prints, self._bound("vectors", speaker_id, version))
        return Sealed(self._seal_key(data_key, speaker_id=speaker_id, version=version), _FORMAT + nonce + sealed)

    def open(self, sealed: Sealed, *, speaker_id: str, version: int) -> bytes:
        """The prints.

        Raises:
            UnknownKeyError: they are sealed under a key that is not ours.
            DamagedError: they are not what was sealed for this version of this speaker, or not sealed at all.
        """
        data_key = self._open_key(sealed.key, speaker_id=speaker_id, version=version)
        form, nonce, rest = _parted(sealed.prints, 1, _NONCE_BYTES)
        try:
            if form == _FORMAT:
                return AESGCM(data_key).decrypt(nonce, rest, self._bound("vectors", speaker_id, version))
        except (InvalidTag, ValueError):
            pass
        raise DamagedError(speaker_id)

    def renewed(self, key: bytes, *, speaker_id: str, version: int) -> bytes | None:
        """A sealed data key under our current key; None if it is so already.

        Raises:
            UnknownKeyError, DamagedError: as for `open`.
        """
        form, name, _ = _parted(key, 1, _NAME_BYTES)
        if form == _FORMAT and name == self._current:
            return None
        data_key = self._open_key(key, speaker_id=speaker_id, version=version)
        return self._seal_key(data_key, speaker_id=speaker_id, version=version)

    def _seal_key(self, data_key: bytes, *, speaker_id: str, version: int) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ours[self._current].encrypt(nonce, data_key, self._bound("key", speaker_id, version))
        return _FORMAT + self._current + nonce + sealed

    def _open_key(self, key: bytes, *, speaker_id: str, version: int) -> bytes:
        form, name, nonce, rest = _parted(key, 1, _NAME_BYTES, _NONCE_BYTES)
        if form != _FORMAT:
            raise DamagedError(speaker_id)
        if (ours := self._ours.get(name)) is None:
            raise UnknownKeyError(speaker_id, name)
        try:
            return ours.decrypt(nonce, rest, self._bound("key", speaker_id, version))
        except (InvalidTag, ValueError) as error:
            raise DamagedError(speaker_id) from error

    def _bound(self, field: str, speaker_id: str, version: int) -> bytes:
        """What a seal is good for; none of the parts can hold a colon."""
        return f"{field}:1:{self._account}:{speaker_id}:{version}".encode()


def _derived(text: str) -> tuple[bytes, bytes]:
    """The name and the secret made of a setting."""
    made = HKDF(SHA256(), length=_NAME_BYTES + _KEY_BYTES, salt=None, info=_INFO).derive(text.encode())
    return made[:_NAME_BYTES], made[_NAME_BYTES:]


def _parted(whole: bytes, *lengths: int) -> list[bytes]:
    """Parts of these lengths and the rest; empty where there is too little."""
    ends = [sum(lengths[: number + 1]) for number in range(len(lengths))]
    return [whole[start:end] for start, end in zip([0, *ends], [*ends, None], strict=True)]
