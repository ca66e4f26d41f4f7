"""What a sender may have to prove: Standard Webhooks signatures, a verification token; required where they are set."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from config.settings import Settings, SettingsError, Webhook
from tests.support.door import BODY, front_door, token
from webhook.app import create_app
from webhook.signature import Proof
from worker.enrollment.errors import RequestError

SECRET, NEXT = ("whsec_" + base64.b64encode(bytes([n]) * 32).decode() for n in (7, 8))
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SENT = str(int(NOW.timestamp()))


def signature(body: bytes = BODY, *, secret: str = SECRET, message_id: str = "msg_1", sent: str = SENT) -> str:
    """As the specification has it, worked out here."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, message_id.encode() + b"." + sent.encode() + b"." + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def signed(body: bytes = BODY, *, sent: str = SENT, **how: str) -> dict[str, str]:
    return {
        "webhook-id": "msg_1",
        "webhook-timestamp": sent,
        "webhook-signature": signature(body, sent=sent, **how),
    }


def verdict(webhook: Webhook, headers: Mapping[str, str], body: bytes = BODY) -> str:
    came = [(name.lower().encode(), value.encode(errors="surrogateescape")) for name, value in headers.items()]
    try:
        Proof(webhook).check(came, body, now=NOW)
    except RequestError as error:
        return error.code
    return "passes"


def at(seconds: int) -> str:
    return str(int((NOW + timedelta(seconds=seconds)).timestamp()))


WRONG = "v1," + base64.b64encode(bytes(32)).decode()
CASES = {
    "signed": (signed(), "passes"),
    "by the second secret": (signed(secret=NEXT), "passes"),
    "one of several signatures": (signed() | {"webhook-signature": f"v1a,xx {WRONG} {signature()}"}, "passes"),
    "a hair's breadth late": (signed(sent=at(-300)), "passes"),
    "a hair's breadth early": (signed(sent=at(300)), "passes"),
    "nothing": ({}, "callback_unsigned"),
    "no id": (signed() | {"webhook-id": ""}, "callback_unsigned"),
    "no time": (signed() | {"webhook-timestamp": ""}, "callback_unsigned"),
    "no signature": (signed() | {"webhook-signature": ""}, "callback_unsigned"),
    "another body": (signed(BODY + b" "), "callback_signature_invalid"),
    "another id": (signed() | {"webhook-id": "msg_2"}, "callback_signature_invalid"),
    "another time": (signed() | {"webhook-timestamp": at(1)}, "callback_signature_invalid"),
    "another key": (signed(secret="whsec_" + "A" * 44), "callback_signature_invalid"),
    "another version": (
        signed() | {"webhook-signature": signature().replace("v1,", "v2,")},
        "callback_signature_invalid",
    ),
    "no version": (signed() | {"webhook-signature": signature()[3:]}, "callback_signature_invalid"),
    "only the other kind": (signed() | {"webhook-signature": "v1a," + "A" * 86}, "callback_signature_invalid"),
    "too old": (signed(sent=at(-301)), "callback_stale"),
    "from the future": (signed(sent=at(301)), "callback_stale"),
    "no number": (signed(sent="yesterday"), "callback_stale"),
    "an endless number": (signed(sent="9" * 6000), "callback_stale"),
    "a negative number": (signed(sent="-5"), "callback_stale"),
}


@pytest.mark.parametrize(("headers", "expected"), CASES.values(), ids=CASES.keys())
def test_a_signature_is_checked_as_the_specification_says(headers: dict[str, str], expected: str) -> None:
    assert verdict(Webhook(signing_secret=SecretStr(f"{SECRET} {NEXT}")), headers) == expected
    assert verdict(Webhook(signing_secret=SecretStr(f"{NEXT},{SECRET}")), headers) == expected


def test_a_vector_worked_out_elsewhere_passes() -> None:
    """Key 0x00..0x1f; the digest by `openssl dgst -sha256 -mac HMAC`."""
    secret = "whsec_" + base64.b64encode(bytes(range(32))).decode()
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1795262400",
        "webhook-signature": "v1,KyW73ILbfaOQdfpBRBLCc0Re/eftBInRv3t+mfwLViM=",
    }
    assert verdict(Webhook(signing_secret=SecretStr(secret)), headers, b'{"test": 2432232314}') == "passes"


@given(at=st.integers(0, len(BODY) - 1), change=st.integers(1, 255))
def test_any_changed_byte_is_refused(at: int, change: int) -> None:
    body = bytearray(BODY)
    body[at] ^= change
    webhook = Webhook(signing_secret=SecretStr(SECRET))
    assert verdict(webhook, signed(), bytes(body)) == "callback_signature_invalid"


@given(name=st.sampled_from(list(signed())), text=st.text(max_size=60))
def test_any_other_header_is_refused(name: str, text: str) -> None:
    headers = signed() | {name: text}
    if headers != signed():
        assert verdict(Webhook(signing_secret=SecretStr(SECRET)), headers).startswith("callback_")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Verification-Token": "secret-word"}, "passes"),
        ({"Validation-Token": "secret-word"}, "passes"),
        ({"Verification-Token": "secret-worD"}, "callback_unverified"),
        ({"Verification-Token": "secret-wor\udce4"}, "callback_unverified"),
        ({}, "callback_unverified"),
    ],
)
def test_a_verification_token_is_needed_where_one_is_set(headers: dict[str, str], expected: str) -> None:
    assert verdict(Webhook(verification_token=SecretStr("secret-word")), headers) == expected


def test_both_are_needed_where_both_are_set() -> None:
    webhook = Webhook(signing_secret=SecretStr(SECRET), verification_token=SecretStr("word"))
    assert verdict(webhook, signed()) == "callback_unverified"
    assert verdict(webhook, {"Verification-Token": "word"}) == "callback_unsigned"
    assert verdict(webhook, signed() | {"Verification-Token": "word"}) == "passes"
    assert not Proof(Webhook()).is_required


@pytest.mark.parametrize(
    "secret", ["whsec_AAAA", "whsec_!" + "A" * 43, "A" * 44, "whsec_" + "A" * 88 + " x", "whsec_" + "A" * 92]
)
def test_a_secret_that_can_not_be_one_is_refused_at_start(secret: str) -> None:
    with pytest.raises(SettingsError, match="VOXROLL_WEBHOOK_SIGNING_SECRET") as error:
        Proof(Webhook(signing_secret=SecretStr(secret)))
    assert secret not in str(error.value)


async def answered(settings: Settings, **request: Any) -> tuple[int, str | None]:
    async with front_door(settings) as door, door.post(f"/v1/callbacks/{token(settings)}", **request) as answer:
        return answer.status, (await answer.json(content_type=None)).get("code")


async def test_the_door_asks_for_it(settings: Settings) -> None:
    webhook = settings.webhook.model_copy(update={"signing_secret": SecretStr(SECRET)})
    strict = settings.model_copy(update={"webhook": webhook})
    sent = str(int(datetime.now(UTC).timestamp()))
    assert await answered(strict, data=BODY) == (403, "callback_unsigned")
    assert await answered(strict, data=BODY, headers=signed(sent=sent)) == (200, None)
    reordered = json.dumps(json.loads(BODY), indent=1).encode()
    assert await answered(strict, data=reordered, headers=signed(sent=sent)) == (403, "callback_signature_invalid")


async def test_the_door_does_not_start_with_a_bad_secret(settings: Settings) -> None:
    webhook = settings.webhook.model_copy(update={"signing_secret": SecretStr("whsec_short")})
    runner = aiohttp.web.AppRunner(create_app(settings.model_copy(update={"webhook": webhook})))
    with pytest.raises(SettingsError):
        await runner.setup()
    await runner.cleanup()
