"""Waiting in fault tests: for readiness and for the end, bounded, by asking the servers themselves."""

import asyncio
from typing import Any

import aiohttp

PATIENCE_S = 90


async def ready(url: str) -> None:
    """Return once `/readyz` says 200."""
    async with aiohttp.ClientSession(url) as http, asyncio.timeout(PATIENCE_S):
        while True:
            async with http.get("/readyz") as answer:
                if answer.status == 200:
                    return
            await asyncio.sleep(0.05)


async def settled_document(door: aiohttp.ClientSession, speaker_id: str) -> dict[str, Any]:
    """The speaker's document once nothing is left to do, through every 503."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            async with door.get(f"/v1/speakers/{speaker_id}") as answer:
                if answer.status == 200:
                    document: dict[str, Any] = await answer.json()
                    if document["settled"]:
                        return document
            await asyncio.sleep(0.05)
