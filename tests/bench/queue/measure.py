"""One measurement: a fresh Valkey, jobs enqueued, then workers started; the drain from first start to last end.

Every measurement has its own server on a unix socket with the append-only file on (fsync every second), for all alike.
"""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from tests.bench.queue.peers.job import SHAPE
from tests.bench.queue.systems import Kind, System
from tests.support.valkey import running_valkey

_LONGEST_S = 60.0
_LOOK_S = 0.01
_FINISH_S = 5.0


class MeasureError(Exception):
    """A system that did not do its jobs."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one run gave."""

    jobs: int
    drain_per_s: float
    enqueue_per_s: float
    commands_per_job: float
    round_trip_ms: float


@dataclass(frozen=True, slots=True)
class Load:
    """What to run: kind and number of jobs, worker processes, and whether the workers sit behind the slow link."""

    kind: Kind
    count: int
    processes: int = 1
    delayed: bool = False


def measure(system: System, python: str, load: Load) -> Sample:
    """Run one system once.

    Raises:
        MeasureError: it did not finish its jobs in time, or left some in the queue.
    """
    with tempfile.TemporaryDirectory(prefix="vx-bench-") as place, running_valkey(Path(place) / "valkey") as url:
        tally = Path(place) / "tally"
        tally.mkdir()
        command = [python, "-m", f"tests.bench.queue.peers.{system.script}"]
        enqueue_per_s = load.count / _put([*command, "put", url, load.kind, str(load.count)])
        with redis.Redis.from_url(url) as server, _way_to(url, delayed=load.delayed) as way:
            before = _commands(server)
            work = [*command, "work", way, str(system.slots)]
            rate = _drain(work, tally, load, log=Path(place) / "log")
            commands = _commands(server) - before
            if system.queue and (left := int(server.zcard(system.queue))):
                raise MeasureError(f"{system.name} left {left} of {load.count} jobs in its queue")
            round_trip_ms = _round_trip_ms(way) if load.delayed else 0.0
    return Sample(load.count, rate, enqueue_per_s, commands / load.count, round_trip_ms)


def _put(command: list[str]) -> float:
    """Enqueue; the seconds that took, without start and connection."""
    try:
        put = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_LONGEST_S)
    except subprocess.CalledProcessError as error:
        raise MeasureError(f"can't enqueue: {error.stderr[-400:]}") from error
    except subprocess.TimeoutExpired as error:
        raise MeasureError(f"enqueueing took longer than {_LONGEST_S:.0f} s") from error
    return float(put.stdout)


def _drain(command: list[str], tally: Path, load: Load, *, log: Path) -> float:
    """Run workers until all jobs are done; jobs/s."""
    environment = os.environ | {"BENCH_TALLY": str(tally)}
    with log.open("wb") as out:
        workers = [
            subprocess.Popen(command, env=environment, stdout=out, stderr=out, start_new_session=True)
            for _ in range(load.processes)
        ]
    try:
        give_up = time.monotonic() + _LONGEST_S
        while sum(count for count, _, _ in _read(tally)) < load.count:
            if time.monotonic() > give_up or all(worker.poll() is not None for worker in workers):
                done = sum(count for count, _, _ in _read(tally))
                raise MeasureError(f"{done} of {load.count} jobs done; {log.read_text()[-400:]}")
            time.sleep(_LOOK_S)
    finally:
        _end(workers)
    tallies = _read(tally)
    return load.count / (max(last for _, _, last in tallies) - min(first for _, first, _ in tallies))


def _read(tally: Path) -> list[tuple[int, float, float]]:
    contents = (file.read_bytes() for file in tally.iterdir())
    return [SHAPE.unpack(content) for content in contents if len(content) == SHAPE.size and any(content)]


def _end(workers: list[subprocess.Popen[bytes]]) -> None:
    """End workers as a deployment would, so that they write down what is done; then for certain."""
    time.sleep(0.1)  # for those that don't finish on SIGTERM, to write down their last jobs
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
    for worker in workers:
        try:
            worker.wait(_FINISH_S)
        except subprocess.TimeoutExpired:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()


@contextmanager
def _way_to(url: str, *, delayed: bool) -> Iterator[str]:
    """The URL for the workers: the server's own, or that of the delaying proxy before it."""
    if not delayed:
        yield url
        return
    command = [sys.executable, "-m", "tests.bench.queue.delay", url.removeprefix("unix://")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as proxy:
        assert proxy.stdout is not None
        try:
            yield f"redis://127.0.0.1:{int(proxy.stdout.readline())}/0"
        finally:
            proxy.kill()


def _round_trip_ms(url: str) -> float:
    """Median of 50 pings over one idle connection."""
    took = []
    with redis.Redis.from_url(url) as client:
        for _ in range(50):
            began = time.perf_counter()
            client.ping()
            took.append(time.perf_counter() - began)
    return 1000 * statistics.median(took)


def _commands(server: "redis.Redis") -> int:
    """Calls of every command so far, those inside scripts included."""
    stats: dict[str, dict[str, int]] = server.info("commandstats")  # type: ignore[assignment]  # this client isn't async
    return sum(command["calls"] for command in stats.values())
