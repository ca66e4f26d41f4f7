"""Keys of the token are changed while callbacks are under way: by two variables, and none is turned away."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from config.settings import Settings, SettingsError, load
from tests.support.door import BODY, front_door, token
from worker.contract.token import Claims, KeyRing, mint, verify

OLD, OLDER, NEW = "o" * 48, "p" * 48, "n" * 48


def rotated(settings: Settings, monkeypatch: pytest.MonkeyPatch, former: str) -> Settings:
    monkeypatch.setenv("VOXROLL_WEBHOOK_TOKEN_KEY", NEW)
    monkeypatch.setenv("VOXROLL_WEBHOOK_FORMER_TOKEN_KEYS", former)
    return settings.model_copy(update={"webhook": load().webhook})


async def test_tokens_of_former_keys_are_accepted_and_no_others(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_and_then = rotated(settings, monkeypatch, f"{OLD}, {OLDER}")
    async with front_door(now_and_then) as door:
        for key, status in ((NEW, 200), (OLD, 200), (OLDER, 200), ("x" * 48, 403)):
            async with door.post(f"/v1/callbacks/{token(settings, key=key)}", data=BODY) as answer:
                assert answer.status == status


def test_what_is_minted_is_signed_by_the_current_key(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    webhook = rotated(settings, monkeypatch, OLD).webhook
    now = datetime.now(UTC)
    claims = Claims(
        account="a",
        speaker_id="s",
        recording_id="r",
        attempt_id="t",
        expires_at=now.replace(microsecond=0) + timedelta(1),
    )
    made = mint(claims, key=webhook.token_key)
    assert verify(made, keys=KeyRing(SecretStr(NEW)), account="a", now=now) == claims


def test_a_former_key_that_is_too_short_is_refused_at_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SettingsError, match="VOXROLL_WEBHOOK_FORMER_TOKEN_KEYS") as error:
        rotated(settings, monkeypatch, f"{OLD},short-secret")
    assert "short-secret" not in str(error.value)
    assert OLD not in repr(rotated(settings, monkeypatch, OLD))
