"""Sealed voiceprints: opened by the right key for the very speaker, version and field, and by nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.sealing import Sealed
from engine.service.failure import ApiError
from engine.service.seal import DamagedError, Seal, UnknownKeyError

OLD, NEW = "o" * 40, "n" * 40
PRINTS = bytes(range(256)) * 6
IDS = st.from_regex(r"[a-zA-Z0-9_]{1,20}", fullmatch=True)


def seal(key: str = OLD, *former: str, account: str = "a") -> Seal:
    return Seal(key, former=former, account=account)


SEALED = seal().seal(PRINTS, speaker_id="anna", version=3)


@given(prints=st.binary(max_size=4000), speaker_id=IDS, version=st.integers(1, 2**53))
def test_what_is_sealed_is_opened(prints: bytes, speaker_id: str, version: int) -> None:
    sealed = seal().seal(prints, speaker_id=speaker_id, version=version)
    assert seal().open(sealed, speaker_id=speaker_id, version=version) == prints
    assert len(prints) < 16 or prints not in sealed.content


@pytest.mark.parametrize(("account", "speaker_id", "version"), [("b", "anna", 3), ("a", "ann", 3), ("a", "anna", 2)])
def test_it_opens_for_this_speaker_and_version_alone(account: str, speaker_id: str, version: int) -> None:
    with pytest.raises(DamagedError) as error:
        seal(account=account).open(SEALED, speaker_id=speaker_id, version=version)
    assert error.value.status == 500


def test_parts_of_two_writes_do_not_fit_together() -> None:
    again = seal().seal(PRINTS, speaker_id="anna", version=3)
    assert again.key != SEALED.key
    assert again.content != SEALED.content
    for mixed in (Sealed(again.key, SEALED.content), Sealed(SEALED.key, again.content), Sealed(*reversed(SEALED))):
        with pytest.raises(ApiError):
            seal().open(mixed, speaker_id="anna", version=3)


@given(field=st.integers(0, 1), at=st.integers(0, 64), change=st.integers(1, 255))
def test_any_changed_byte_is_noticed(field: int, at: int, change: int) -> None:
    parts = [bytearray(part) for part in SEALED]
    parts[field][at] ^= change
    with pytest.raises((DamagedError, UnknownKeyError)):
        seal().open(Sealed(*map(bytes, parts)), speaker_id="anna", version=3)


@given(key=st.binary(max_size=80), prints=st.binary(max_size=80))
def test_any_bytes_are_refused_in_our_words(key: bytes, prints: bytes) -> None:
    for sealed in (Sealed(key, prints), Sealed(SEALED.key, prints), Sealed(key, SEALED.content)):
        with pytest.raises((DamagedError, UnknownKeyError)):
            seal().open(sealed, speaker_id="anna", version=3)


def test_another_key_is_told_by_its_name_and_the_request_may_come_again() -> None:
    with pytest.raises(UnknownKeyError, match=f"voice_key_unknown: .* under key {seal().name}, .*FORMER") as error:
        seal(NEW).open(SEALED, speaker_id="anna", version=3)
    assert error.value.status == 503
    assert OLD not in str(error.value)


def test_a_former_key_opens_and_the_current_one_seals() -> None:
    both = seal(NEW, OLD)
    assert both.open(SEALED, speaker_id="anna", version=3) == PRINTS
    fresh = both.seal(PRINTS, speaker_id="anna", version=4)
    assert seal(NEW).open(fresh, speaker_id="anna", version=4) == PRINTS


def test_a_renewed_data_key_opens_the_same_prints() -> None:
    renewed = seal(NEW, OLD).renewed(SEALED.key, speaker_id="anna", version=3)
    assert renewed is not None
    assert seal(NEW).open(SEALED._replace(key=renewed), speaker_id="anna", version=3) == PRINTS
    assert seal(NEW).renewed(renewed, speaker_id="anna", version=3) is None
    with pytest.raises(UnknownKeyError):
        seal(NEW).renewed(SEALED.key, speaker_id="anna", version=3)
    with pytest.raises(DamagedError):
        seal(NEW, OLD).renewed(SEALED.key, speaker_id="bert", version=3)
