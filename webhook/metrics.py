"""Counters and gauges in Prometheus' text format. Labels are codes and states, never ids."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """The front door's own registry, so that several doors may live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.callbacks = Counter(
            "voxroll_callbacks",
            "Callbacks by verdict: accepted, or the code of the refusal.",
            ["verdict"],
            registry=self.registry,
        )
        self.recordings = Counter("voxroll_recordings", "Recordings handed in.", registry=self.registry)
        self.speakers = Gauge("voxroll_speakers", "Speakers by state.", ["state"], registry=self.registry)
        self.queued = Gauge("voxroll_jobs_queued", "Jobs in the queue, running ones included.", registry=self.registry)
        self.overdue = Gauge(
            "voxroll_speakers_overdue",
            "Speakers with something to do that the sweep should have looked at over a minute ago.",
            registry=self.registry,
        )
        self.write_s = Histogram(
            "voxroll_callback_write_seconds", "Time to write one group of callbacks down.", registry=self.registry
        )
        self.group_size = Histogram(
            "voxroll_callback_group_size",
            "Callbacks written in one group.",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128),
            registry=self.registry,
        )

        self.watchers = Gauge("voxroll_event_watchers", "Who follow the events now.", registry=self.registry)
        self.watchers_now = 0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Count a watcher while it watches."""
        self.watchers_now += 1
        try:
            yield
        finally:
            self.watchers_now -= 1

    def verdict(self, verdict: str, number: int = 1) -> None:
        """Count callbacks."""
        self.callbacks.labels(verdict).inc(number)

    def text(self) -> bytes:
        """All of them as text."""
        self.watchers.set(self.watchers_now)
        return generate_latest(self.registry)
