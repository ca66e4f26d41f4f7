"""Valkey frozen, full, read-only, unable to write its file, or without its scripts: nobody ends, all recovers alone."""

import asyncio
import resource
import signal
import time
from collections.abc import Awaitable, Callable

import pytest
import redis.asyncio as redis

from tests.support.house import Guest, House

_FROZEN_S = 10.0
_BOUND_S = 6.0  # three tries of one second each, with pauses


async def test_valkey_frozen_for_ten_seconds_costs_nothing_but_time(guest: Guest) -> None:
    house = guest.house
    for _ in range(3):
        await guest.hand_in()
    house.valkey.signal(signal.SIGSTOP)
    thaws_s = time.monotonic() + _FROZEN_S
    answered_s = []
    while time.monotonic() < thaws_s - _BOUND_S:
        began_s = time.monotonic()
        assert await guest.refused() == "redis_unavailable"
        answered_s.append(time.monotonic() - began_s)
    await asyncio.sleep(thaws_s - time.monotonic())
    house.valkey.signal(signal.SIGCONT)
    assert max(answered_s) < _BOUND_S
    await guest.hand_in()
    await guest.all_is_well()
    assert set(house.rooms.running()) == {"engine", "webhook", "worker"}


async def _full(server: redis.Redis, _house: House) -> None:
    await server.config_set("maxmemory", "1mb")


async def _read_only(server: redis.Redis, _house: House) -> None:
    await server.replicaof("127.0.0.1", 1)


async def _disk_full(server: redis.Redis, house: House) -> None:
    await server.config_set("appendfsync", "everysec")  # with `always` the server ends, as when it is killed
    house.valkey.limit_files(1)


async def _well(server: redis.Redis, house: House) -> None:
    await server.replicaof("NO", "ONE")
    house.valkey.limit_files(resource.RLIM_INFINITY)
    await server.config_set("maxmemory", 0)
    await server.config_set("appendfsync", "always")


@pytest.mark.parametrize("illness", [_full, _read_only, _disk_full])
async def test_a_valkey_that_takes_no_writes_makes_senders_wait(
    guest: Guest, illness: Callable[[redis.Redis, House], Awaitable[None]]
) -> None:
    house = guest.house
    await guest.hand_in()
    async with redis.Redis.from_url(house.valkey.url) as server:
        await illness(server, house)
        try:
            assert await guest.refused() == "redis_unavailable"
            await asyncio.sleep(1.5)  # the illness lasts: renewals, sweeps and finishes meet it
        finally:
            await _well(server, house)
    await guest.hand_in()
    await guest.all_is_well()
    assert set(house.rooms.running()) == {"engine", "webhook", "worker"}


async def test_scripts_that_are_gone_are_brought_again(guest: Guest) -> None:
    async with redis.Redis.from_url(guest.house.valkey.url) as server:
        for _ in range(3):
            await guest.hand_in()
            await server.script_flush()
        await guest.all_is_well()
        await server.script_flush()
        await guest.hand_in()
        await guest.all_is_well()
