"""`make soak`: the whole line for minutes under a bad provider and random `kill -9`; nothing lost, nothing twice.

Speakers with three recordings each arrive at an even pace. The engine drops a fifth of its callbacks, sends a fifth
three times and shuffles all; workers are killed at random, now and then engine, door or Valkey too, and for a fifth
of the time the engine is away. After SOAK_S seconds everything is left alone until all is settled, then the engine's
totals are compared with the records, and the audit is asked. Exit code 0 and a last line that ends in
`lost 0 doubled 0 audit clean`, or 1.
"""

import asyncio
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import aiohttp
from rich.console import Console

from tests.soak.chaos import Chaos
from tests.soak.crowd import Crowd
from tests.soak.progress import showing
from tests.soak.verdict import Verdict, judge
from tests.support.house import House

_ARRIVING = 0.75  # of the time, speakers arrive; in the rest those on their way are still hit
_ALONE_S = 420.0  # most time to settle once everything is left alone
_LEASE_S = 3
_VARIABLES = {
    "WORKER_LEASE": f"{_LEASE_S}s",
    "WORKER_SWEEP": "1s",
    "WORKER_ANSWER_DEADLINE": "8s",
    "API_TIMEOUT": "10s",
    "REDIS_TIMEOUT": "2s",
    "ENGINE_LEASE": f"{_LEASE_S}s",
    "ENGINE_FAULTS": "dropping=0.2,duplicating=0.2,reordering=2",
}


async def soak(house: House, *, speakers: int, seconds: float, seed: int) -> Verdict:
    """The whole of it, over a house that is up."""
    house.rooms.start("worker", "worker-2")
    chaos = Chaos(house, random.Random(seed))  # noqa: S311  a play, no secret
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as http:
        crowd = Crowd(house, http, size=speakers)
        async with showing(crowd, chaos, seconds=seconds):
            arriving = asyncio.create_task(crowd.arrive(over_s=seconds * _ARRIVING))
            await chaos.rage(seconds=seconds)
            await arriving
            await crowd.all_settled(within_s=_ALONE_S)
        return await judge(house, crowd, http)


def main() -> int:
    """Run it by the environment: SOAK_S, SOAK_SPEAKERS, SOAK_SEED."""
    speakers, seconds = int(os.environ.get("SOAK_SPEAKERS", "2000")), float(os.environ.get("SOAK_S", "600"))
    seed = int(os.environ.get("SOAK_SEED", random.SystemRandom().randrange(1_000_000)))
    say = Console(highlight=False, soft_wrap=True).print
    say(f"{speakers} speakers, {seconds:.0f} s, SOAK_SEED={seed} repeats the order of the kills")
    folder = Path(tempfile.mkdtemp(prefix="voxroll-soak-"))
    house = House(folder, **_VARIABLES, ENGINE_FAULTS_SEED=str(seed))
    try:
        house.open()
        verdict = asyncio.run(soak(house, speakers=speakers, seconds=seconds, seed=seed))
    finally:
        house.rooms.close()
        house.valkey.close()
    tell(verdict, folder, say)
    sys.stdout.write(verdict.line() + "\n")
    return 0 if verdict.is_clean else 1


def tell(verdict: Verdict, folder: Path, say: Callable[[str], None]) -> None:
    """What was found, and where the logs are if anything was."""
    say(verdict.times())
    for exception in verdict.exceptions[:20]:
        say(f"  {exception}")
    if verdict.is_clean:
        shutil.rmtree(folder)
    else:
        say(f"logs and data: {folder}")


if __name__ == "__main__":
    sys.exit(main())
