"""The token in webhookUrl: read back as it was made, by the keys that count, and by no other."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from worker.contract.token import Claims, KeyRing, mint, verify
from worker.enrollment.errors import RequestError

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
KEY, OTHER = SecretStr("k" * 48), SecretStr("o" * 48)
CLAIMS = Claims(
    account="acme", speaker_id="anna_1", recording_id="r1", attempt_id="a1", expires_at=NOW + timedelta(days=7)
)
TOKEN = mint(CLAIMS, key=KEY)

names = st.text(max_size=30)


def refused(token: str, *, keys: KeyRing | None = None, account: str = "acme", now: datetime = NOW) -> str:
    with pytest.raises(RequestError) as error:
        verify(token, keys=keys or KeyRing(KEY), account=account, now=now)
    return error.value.code


def test_its_parts_are_what_the_description_says() -> None:
    version, key_id, claims, signature = TOKEN.split(".")
    assert version == "2"
    assert key_id == hashlib.sha256(b"k" * 48).hexdigest()[:8]
    expires = round(CLAIMS.expires_at.timestamp())
    assert json.loads(base64.urlsafe_b64decode(claims + "==")) == ["acme", "anna_1", "r1", "a1", expires]
    right = hmac.new(b"k" * 48, f"2.{key_id}.{claims}".encode(), hashlib.sha256).digest()
    assert base64.urlsafe_b64decode(signature + "=") == right


@given(account=names, speaker_id=names, recording_id=names, attempt_id=names, seconds=st.integers(1, 10**8))
def test_any_claims_come_back_as_they_were(
    account: str, speaker_id: str, recording_id: str, attempt_id: str, seconds: int
) -> None:
    claims = Claims(
        account=account,
        speaker_id=speaker_id,
        recording_id=recording_id,
        attempt_id=attempt_id,
        expires_at=NOW + timedelta(seconds=seconds),
    )
    assert verify(mint(claims, key=KEY), keys=KeyRing(KEY), account=account, now=NOW) == claims


@given(at=st.integers(0, len(TOKEN) - 1), change=st.characters(), gone=st.booleans())
def test_no_token_passes_with_a_character_changed_or_gone(at: int, change: str, *, gone: bool) -> None:
    bad = TOKEN[:at] + ("" if gone else change) + TOKEN[at + 1 :]
    if bad != TOKEN:
        assert refused(bad) == "callback_forged"


@given(st.text(max_size=300))
def test_no_made_up_token_passes(text: str) -> None:
    assert refused(text) == "callback_forged"


@pytest.mark.parametrize(
    ("key", "account", "now", "code"),
    [
        (OTHER, "acme", NOW, "callback_forged"),
        (KEY, "other", NOW, "callback_foreign"),
        (KEY, "acme", CLAIMS.expires_at, "callback_expired"),
        (KEY, "acme", CLAIMS.expires_at + timedelta(days=1), "callback_expired"),
    ],
)
def test_the_code_says_what_is_wrong(key: SecretStr, account: str, now: datetime, code: str) -> None:
    assert refused(mint(CLAIMS, key=key), account=account, now=now) == code


def test_keys_are_rotated_with_overlap() -> None:
    rotated = KeyRing(OTHER, [KEY])
    for key in (OTHER, KEY):
        assert verify(mint(CLAIMS, key=key), keys=rotated, account="acme", now=NOW) == CLAIMS
    assert refused(mint(CLAIMS, key=KEY), keys=KeyRing(OTHER)) == "callback_forged"


def test_a_key_that_names_another_is_no_help() -> None:
    by_other = mint(CLAIMS, key=OTHER).split(".")
    renamed = ".".join([by_other[0], TOKEN.split(".")[1], *by_other[2:]])
    assert refused(renamed, keys=KeyRing(KEY, [OTHER])) == "callback_forged"


def test_no_error_tells_the_signature() -> None:
    for token, now in ((TOKEN, CLAIMS.expires_at), (TOKEN + "A", NOW)):
        with pytest.raises(RequestError) as error:
            verify(token, keys=KeyRing(KEY), account="acme", now=now)
        assert TOKEN[-43:] not in str(error.value)


def test_an_empty_key_opens_nothing() -> None:
    assert refused(mint(CLAIMS, key=SecretStr("")), keys=KeyRing(SecretStr(""))) == "callback_forged"
