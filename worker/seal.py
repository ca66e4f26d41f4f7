"""Voices at rest: the prints beside clips and the gallery in Redis are sealed, each for its account and its place.

Before that they lay open; such ones are still read, and are sealed when they are written next or by `worker --reseal`.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from config.settings import Settings, SettingsError
from engine.sealing import SEALED_KEY_BYTES, BrokenSealError, ForeignKeyError, Sealed, Sealer
from worker.enrollment.errors import RetryLaterError
from worker.enrollment.record import SpeakerId

_PURPOSE = "voxroll: key of the workshop's voices, 1"
_MARK = b"vxs\x01"  # no archive of numpy begins so, and hardly a hash


class DamagedVoiceError(Exception):
    """What lies there is not what was sealed for that place."""


class VoiceSeal:
    """Seals and opens the voices of one account, as bytes."""

    def __init__(self, sealer: Sealer, *, account: str) -> None:
        self._sealer = sealer
        self._account = account

    @classmethod
    def of(cls, settings: Settings) -> "VoiceSeal":
        """With the keys of the settings.

        Raises:
            SettingsError: there is none.
        """
        key = settings.worker.voice_key.get_secret_value()
        if not key:
            raise SettingsError(
                "VOXROLL_WORKER_VOICE_KEY is not set: voices are kept under it; set it to 32 or more random characters "
                "and keep it, or use `voxroll up`, which makes one"
            )
        former = [one.get_secret_value() for one in settings.worker.former_voice_keys]
        return cls(Sealer(key, former=former, purpose=_PURPOSE), account=settings.account)

    @property
    def name(self) -> str:
        """What the current key is called."""
        return self._sealer.name

    def of_speaker(self, speaker_id: SpeakerId) -> str:
        """The place of a speaker's voice in the gallery."""
        return f"{self._account}:gallery:{speaker_id}"

    def of_object(self, key: str) -> str:
        """The place of a print in the object store."""
        return f"{self._account}:object:{key}"

    def seal(self, voice: bytes, *, place: str) -> bytes:
        """Seal a voice for its place: 98 bytes more."""
        return _MARK + b"".join(self._sealer.seal(voice, place=place))

    def open(self, blob: bytes, *, place: str) -> bytes:
        """The voice, sealed or from before there were seals.

        Raises:
            RetryLaterError: `voice_key_unknown`; nothing is lost once that key is there.
            DamagedVoiceError: it can't be opened.
        """
        if not blob.startswith(_MARK):
            return blob
        with _told():
            return self._sealer.open(_parted(blob), place=place)

    def renewed(self, blob: bytes, *, place: str) -> bytes | None:
        """A voice sealed under the current key; None if it is so already.

        Raises:
            RetryLaterError, DamagedVoiceError: as for `open`.
        """
        if not blob.startswith(_MARK):
            return self.seal(blob, place=place)
        sealed = _parted(blob)
        with _told():
            key = self._sealer.renewed(sealed.key, place=place)
        return None if key is None else _MARK + key + sealed.content


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except ForeignKeyError as error:
        message = f"a voice is sealed under key {error.name}, which this worker was not given; "
        message += "put it into VOXROLL_WORKER_FORMER_VOICE_KEYS"
        raise RetryLaterError("voice_key_unknown", message) from error
    except BrokenSealError as error:
        raise DamagedVoiceError from error


def _parted(blob: bytes) -> Sealed:
    start = len(_MARK)
    return Sealed(blob[start : start + SEALED_KEY_BYTES], blob[start + SEALED_KEY_BYTES :])
