"""Voiceprints are kept sealed (`engine.sealing`), each for its account, its speaker and the version of the enrollment.

What can't be opened becomes the contract's error here. Without the data key, as in a tombstone, the prints are gone.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from engine.sealing import BrokenSealError, ForeignKeyError, Sealed, Sealer
from engine.service.failure import CMN_INTERNAL, ApiError, NotReadyError

_PURPOSE = "voxroll: key of voiceprints, 1"


class UnknownKeyError(NotReadyError):
    """503: sealed under a key that this engine was not given; nothing is lost once it is."""

    def __init__(self, speaker_id: str, name: str) -> None:
        message = f"the voiceprints of {speaker_id} are sealed under key {name}, which this engine was not given; "
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
        self._sealer = Sealer(key, former=former, purpose=_PURPOSE)
        self._account = account

    @property
    def name(self) -> str:
        """What the current key is called, in hex: a hash of it."""
        return self._sealer.name

    def seal(self, prints: bytes, *, speaker_id: str, version: int) -> Sealed:
        """Seal prints under a new data key, for exactly this version of this speaker."""
        return self._sealer.seal(prints, place=self._place(speaker_id, version))

    def open(self, sealed: Sealed, *, speaker_id: str, version: int) -> bytes:
        """The prints.

        Raises:
            UnknownKeyError: they are sealed under a key that is not ours.
            DamagedError: they are not what was sealed for this version of this speaker, or not sealed at all.
        """
        with _told(speaker_id):
            return self._sealer.open(sealed, place=self._place(speaker_id, version))

    def renewed(self, key: bytes, *, speaker_id: str, version: int) -> bytes | None:
        """A sealed data key under our current key; None if it is so already.

        Raises:
            UnknownKeyError, DamagedError: as for `open`.
        """
        with _told(speaker_id):
            return self._sealer.renewed(key, place=self._place(speaker_id, version))

    def _place(self, speaker_id: str, version: int) -> str:
        """None of the parts can hold a colon."""
        return f"{self._account}:{speaker_id}:{version}"


@contextmanager
def _told(speaker_id: str) -> Iterator[None]:
    try:
        yield
    except ForeignKeyError as error:
        raise UnknownKeyError(speaker_id, error.name) from error
    except BrokenSealError as error:
        raise DamagedError(speaker_id) from error
