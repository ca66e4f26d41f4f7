"""Was anything lost, was anything doubled: the engine's totals beside the records, and the audit's word."""

import asyncio
import math
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp

from tests.soak.crowd import Crowd
from tests.support.house import SECONDS, House, token

_SLACK_S = 0.2
_AUDIT_S = 600.0
_PAGE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found; `settle_s` has one time per settled speaker, from its first knock to its last change."""

    speakers: int
    settled: int
    lost: int
    doubled: int
    audit: str
    settle_s: Sequence[float]
    exceptions: Sequence[str]

    @property
    def is_clean(self) -> bool:
        return (self.settled, self.lost, self.doubled, self.audit) == (self.speakers, 0, 0, "clean")

    def line(self) -> str:
        return (
            f"soak: speakers {self.speakers} settled {self.settled} lost {self.lost} doubled {self.doubled} "
            f"audit {self.audit}"
        )

    def times(self) -> str:
        """Time to settle in words."""
        if len(self.settle_s) < 2:
            return "time to settle: not known"
        cuts = statistics.quantiles(self.settle_s, n=20)
        return f"time to settle: p50 {cuts[9]:.1f} s, p95 {cuts[18]:.1f} s, max {max(self.settle_s):.1f} s"


async def judge(house: House, crowd: Crowd, http: aiohttp.ClientSession) -> Verdict:
    """Compare what was handed in, what the records say and what the engine has heard."""
    documents = {document["speakerId"]: document for document in await crowd.documents()}
    heard = await _heard(house, http)
    exceptions: list[str] = []
    lost = doubled = settled = 0
    for speaker_id in crowd.speakers:
        document = documents.get(speaker_id, {"settled": False, "samples": []})
        settled += document["settled"]
        states = [sample["state"] for sample in document["samples"]]
        applied_s = [sample["measures"]["durationS"] for sample in document["samples"] if sample["state"] == "applied"]
        differs_s = heard.get(speaker_id, 0.0) - sum(applied_s)
        samples = math.ceil((abs(differs_s) - _SLACK_S) / max(SECONDS)) if abs(differs_s) > _SLACK_S else 0
        missing = len(SECONDS) - len(applied_s)
        lost += missing + (samples if differs_s < 0 else 0)
        doubled += samples if differs_s > 0 else 0
        if missing or samples or not document["settled"]:
            exceptions.append(f"{speaker_id}: {states}, the engine has {differs_s:+.1f} s")
    audit, said = await _audited(house)
    return Verdict(
        speakers=crowd.size,
        settled=settled,
        lost=lost,
        doubled=doubled,
        audit=audit,
        settle_s=[
            datetime.fromisoformat(document["updatedAt"]).timestamp() - crowd.speakers[speaker_id].knocked_s
            for speaker_id, document in documents.items()
            if document["settled"]
        ],
        exceptions=[*exceptions, *said],
    )


async def _heard(house: House, http: aiohttp.ClientSession) -> dict[str, float]:
    """Seconds of audio that the engine has of each speaker."""
    url = house.rooms.engine_url
    bearer = await token(http, url, house.settings)
    found: dict[str, float] = {}
    page = total = 1
    while page <= total:
        query = {"partial": "true", "page": str(page), "perPage": str(_PAGE)}
        async with http.get(f"{url}/ai/audio/v1/enrollments", params=query, headers=bearer) as answer:
            listing: dict[str, Any] = await answer.json()
        found |= {record["speakerId"]: record["totalEnrollDuration"] for record in listing["records"]}
        page, total = page + 1, listing["paging"]["totalPages"]
    return found


async def _audited(house: House) -> tuple[str, list[str]]:
    """`clean`, `unclean` or `failed`, and what the audit printed."""
    try:
        run = await asyncio.to_thread(house.rooms.run, "worker", "--audit", within_s=_AUDIT_S)
    except subprocess.TimeoutExpired:
        return "failed", [f"the audit took over {_AUDIT_S:.0f} s"]
    if run.returncode == 0:
        return "clean", []
    return ("unclean" if run.stdout else "failed"), (run.stdout or run.stderr).splitlines()
