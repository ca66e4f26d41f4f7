"""One measurement: a fresh Valkey, one server on a core of its own, the load generator beside Valkey on another.

CPU-seconds are those of the server's process and its children over the counted time, from /proc: on a machine that
others use as well they say more than requests/s do.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import redis
from pydantic import SecretStr
from redis.asyncio import Redis

from config.settings import Redis as RedisSettings
from tests.bench.door.load import Result
from tests.bench.door.systems import ACCOUNT, KEY, System, environment
from tests.support.valkey import ValkeyProcess
from worker.queue.connect import client, close
from worker.queue.jobs import queue_name
from worker.store import keys
from worker.store.journal import Journal

_START_S = 15.0
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_LOOK_S = 0.25
_PAUSE_S = 0.001
_AT_ONCE = 3_000  # jobs thrown away by one call
_JOURNAL_BYTES = 16 * 1024 * 1024
_WORK_OFF = """
local ids = redis.call('ZRANGE', KEYS[1], 0, ARGV[1] - 1)
for _, id in ipairs(ids) do redis.call('DEL', 'arq:job:' .. id) end
if #ids > 0 then redis.call('ZREM', KEYS[1], unpack(ids)) end
return #ids
"""


class MeasureError(Exception):
    """A server that did not do its work."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one run gave."""

    result: Result
    cpu_s: float
    fsync: str

    @property
    def per_cpu_s(self) -> float:
        """Answers per CPU-second of the server."""
        return self.result.answered / self.cpu_s


@dataclass(frozen=True, slots=True)
class Moment:
    """What the server had taken by then, its memory, and Valkey's."""

    taken: int
    server_mb: float
    valkey_mb: float


def share_cores() -> bool:
    """Take the second core for this process and what it starts, where there are two; the first is the server's."""
    if not hasattr(os, "sched_setaffinity") or len(os.sched_getaffinity(0)) < 2:
        return False
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[1]})
    return True


def pauses_ms(*, seconds: float) -> list[float]:
    """How long the machine took a core away, each time for over 1 ms, while one process wanted nothing but to run.

    A virtual machine shares its cores with others, and no latency measured on it is better than that.
    """
    cores = os.sched_getaffinity(0)
    found = []
    for core in range(os.cpu_count() or 1):
        os.sched_setaffinity(0, {core})
        now = time.perf_counter()
        end = now + seconds
        while now < end:
            before, now = now, time.perf_counter()
            if now - before > _PAUSE_S:
                found.append(1000 * (now - before))
    os.sched_setaffinity(0, cores)
    return found


def measure(system: System, python: str, *, seconds: float, fsync: str = "everysec") -> Sample:
    """Run one server once, as fast as it goes.

    Raises:
        MeasureError: it did not start, or an answer was not 200.
    """
    with _valkey(fsync) as url, _server(system, python, redis_url=url) as (server, port):
        return Sample(*_loaded(server, port, seconds=seconds), fsync)


def measure_steady(system: System, python: str, *, seconds: float, share: float) -> Sample:
    """Run one server at a share of its peak, which is measured just before on the same server and an equal store.

    Raises:
        MeasureError: it did not start, or an answer was not 200.
    """
    with _valkey("everysec") as url, _server(system, python, redis_url=url) as (server, port):
        peak, _ = _loaded(server, port, seconds=seconds)
        with redis.Redis.from_url(url) as store:
            store.flushall()
        return Sample(*_loaded(server, port, seconds=seconds, rate=share * peak.per_s), "everysec")


def _loaded(server: int, port: int, *, seconds: float, rate: float = 0.0) -> tuple[Result, float]:
    """What came of a load, and the CPU-seconds of the server meanwhile."""
    command = [*_LOAD, str(port), str(seconds), "0", str(rate), ACCOUNT, KEY]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as load:
        assert load.stdout is not None
        load.stdout.readline()
        before = _cpu_s(server)
        told = load.stdout.read()
        cpu_s = _cpu_s(server) - before
    if not told:
        raise MeasureError("the load generator gave up")
    result = Result(**json.loads(told))
    if result.failed or not result.answered:
        raise MeasureError(f"{result.failed} answers were not 200, {result.answered} were")
    return result, cpu_s


async def remember(system: System, python: str, *, count: int) -> list[Moment]:
    """Send so many callbacks, and look at the memory all the while; jobs are thrown away, the journal is trimmed."""
    with _valkey("everysec") as url, _server(system, python, redis_url=url) as (server, port):
        store = client(RedisSettings(url=SecretStr(url)), queue_name=queue_name(ACCOUNT))
        journal = Journal(store, account=ACCOUNT, keep=timedelta(days=7), most_bytes=_JOURNAL_BYTES)
        command = [*_LOAD, str(port), "0", str(count), "0", ACCOUNT, KEY]
        load = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
        moments: list[Moment] = []
        while load.returncode is None:
            while await store.eval(_WORK_OFF, 1, queue_name(ACCOUNT), str(_AT_ONCE)) == _AT_ONCE:  # type: ignore[misc]  # redis-py: typed for both clients
                pass
            await journal.forget_old()
            moments.append(await _moment(store, server))
            await asyncio.wait({asyncio.ensure_future(load.wait())}, timeout=_LOOK_S)
        await close(store)
    if load.returncode:
        raise MeasureError("the load generator gave up")
    return moments


async def _moment(redis: Redis, server: int) -> Moment:
    try:
        taken = (await redis.xinfo_stream(keys.callbacks(ACCOUNT)))["entries-added"]
    except Exception:  # noqa: BLE001 -- no stream yet
        taken = 0
    resident = int((Path("/proc") / str(server) / "statm").read_text().split()[1]) * _PAGE_BYTES
    return Moment(taken, resident / 1e6, (await redis.info("memory"))["used_memory"] / 1e6)


_LOAD = [sys.executable, "-m", "tests.bench.door.load"]


@contextmanager
def _valkey(fsync: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="vx-bench-") as place:
        server = ValkeyProcess(Path(place), fsync=fsync, auto_aof_rewrite_min_size="512mb")  # as it is shipped
        server.start()
        try:
            yield server.url
        finally:
            server.close()


@contextmanager
def _server(system: System, python: str, *, redis_url: str) -> Iterator[tuple[int, int]]:
    """Its process id and its port, once it listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="vx-bench-") as folder:
        env = environment(system, redis_url=redis_url, port=port, folder=Path(folder))
        with (Path(folder) / "log").open("w+") as log:
            process = subprocess.Popen([python, "-m", system.module], env=env, stdout=log, stderr=log)
            _pin(process.pid)
            try:
                _until_it_listens(process, port, log=Path(log.name))
                yield process.pid, port
            finally:
                process.terminate()
                process.wait()


def _pin(pid: int) -> None:
    """Give a process that was just started, and so whatever it starts, the first core."""
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(pid, {0})


def _until_it_listens(process: "subprocess.Popen[bytes]", port: int, *, log: Path) -> None:
    give_up = time.monotonic() + _START_S
    while time.monotonic() < give_up and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            return
    raise MeasureError(f"it does not listen: {log.read_text()[-400:]}")


def _cpu_s(pid: int) -> float:
    """CPU-seconds of a process and its children, all their threads."""
    folder = Path("/proc") / str(pid)
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    children = " ".join(path.read_text() for path in folder.glob("task/*/children")).split()
    return (int(fields[11]) + int(fields[12])) / _TICKS + sum(_cpu_s(int(child)) for child in children)
