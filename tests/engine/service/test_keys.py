"""Every key that the engine leaves in Redis has a TTL, or the function that names it says why not."""

import inspect
import re
from collections.abc import Callable

from arq.connections import ArqRedis

from config.settings import Settings
from engine.service import keys
from tests.support.engine import Receiver, running_engine

Clip = Callable[..., bytes]

_SCHEMES = {
    "enrollment": keys.enrollment("ACCOUNT", "ID"),
    "index": keys.index("ACCOUNT", complete_only=True).replace("complete", "ID"),
    "job": keys.job("ACCOUNT", "ID"),
    "ended": keys.ended("ACCOUNT", "ID"),
    "fetches": keys.fetches("ACCOUNT"),
    "erased": keys.erased("ACCOUNT"),
    "samples": keys.samples("ACCOUNT"),
    "recordings": keys.recordings("ACCOUNT"),
    "callbacks": keys.callbacks("ACCOUNT"),
}


async def test_each_key_ends_or_says_why(settings: Settings, redis: ArqRedis, clip: Clip, receiver: Receiver) -> None:
    async with running_engine(settings, callback_delays_s=(600.0,)) as rc:
        await rc.enroll("a", clip(0, 0, seconds=20), webhook=receiver.url)
        await rc.enroll("b", clip(1, 0), webhook=receiver.url)
        await rc.enroll("c", clip(2, 0))
        await rc.delete("c")
        await receiver.next()
        await receiver.next()
        receiver.answers = [500]
        await rc.enroll("d", clip(3, 0), webhook=receiver.url)  # its callback waits for ten minutes
        await receiver.next()
        found = [key.decode() async for key in redis.scan_iter(match=f"*{settings.account}*")]
        assert all(f"{{{settings.account}}}" in key for key in found)  # one shard
        endless = [key for key in found if await redis.ttl(key) == -1]
    assert {_function(settings, key) for key in endless} <= {
        name
        for name in _SCHEMES
        if "No TTL:" in inspect.getdoc(getattr(keys, name))  # type: ignore[operator]
    }
    assert {"enrollment", "index"} <= {_function(settings, key) for key in endless}
    assert any("engine:job:" in key for key in found)


def test_audio_is_never_in_redis() -> None:
    assert all("audio" not in scheme for scheme in _SCHEMES.values())


def _function(settings: Settings, key: str) -> str:
    """The function that names a key."""
    for name, scheme in _SCHEMES.items():
        pattern = re.escape(scheme).replace("ACCOUNT", settings.account).replace("ID", "[^:]+")
        if re.fullmatch(pattern, key):
            return name
    return f"nobody names {key}"
