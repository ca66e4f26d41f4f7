"""`voxroll doctor` names what was kept and can't be read, and what is wrong with webhookUrl."""

import asyncio
import json

from arq.connections import ArqRedis

from config.settings import Settings
from tests.support.serving import serving
from tests.support.up import voxroll
from voxroll.failure import Exit
from webhook.app import create_app
from worker.store import keys


async def test_what_is_wrong_is_told_with_the_way_out(settings: Settings, redis: ArqRedis) -> None:
    account = settings.account
    await redis.set(keys.health(account), "{}", ex=60)
    await redis.hset(keys.endpoints(account), "ep_bad", "{")  # type: ignore[misc]  # typed for both clients
    async with serving(create_app(settings)) as url:
        looked = await asyncio.to_thread(
            voxroll, "doctor", "--json", data_dir=settings.data_dir, VOXROLL_URL=url, VOXROLL_ACCOUNT=account,
            VOXROLL_REDIS_URL=settings.redis.url.get_secret_value(), VOXROLL_WEBHOOK_URL=f"{url}/nowhere",
            VOXROLL_API_BASE_URL="http://127.0.0.1:1",
        )  # fmt: skip
    checks = {one["name"]: one for one in json.loads(looked.stdout)}
    assert looked.returncode == Exit.FAILED
    assert checks["front_door"]["ok"]
    assert checks["documents"]["detail"] == "the document of endpoint ep_bad is damaged"
    assert "voxroll endpoints remove" in checks["documents"]["hint"]
    assert "answers 404" in checks["webhook_url"]["detail"]
    assert checks["clock"]["detail"].endswith("s from Redis' clock")  # the API is away, and told of by itself
    assert not checks["api"]["ok"]
    assert checks["objects"]["ok"]
