"""Plays the demo: voices, recordings, the line in a temporary folder, enrolment, recognition, verdict."""

import asyncio
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table

from config.settings import Settings, load
from voxroll.client import Client
from voxroll.commands.enroll import Enrolling
from voxroll.commands.speakers import speaker_table
from voxroll.demo import report
from voxroll.demo.identify import Asker, Recognised
from voxroll.demo.recordings import Script, Take, write_all
from voxroll.demo.tell import Tell
from voxroll.demo.voices import Cast, cast
from voxroll.documents import Speaker
from voxroll.failure import CommandError
from voxroll.progress import Steps
from voxroll.running import adopt
from voxroll.up.ending import Ending
from voxroll.up.supervisor import line

_WAIT_S = 900.0  # 300 s were too few for two cores at a load of 15
_MEASURE_S = 60.0
_LOOK_S = 0.2
_KEPT = frozenset({"VOXROLL_CACHE_DIR"})


@dataclass(slots=True)
class Demo:
    """One run: what was recorded, how the speakers stand, who was recognised, what was not as expected."""

    script: Script = field(default_factory=lambda: Script({}, {}))
    synthetic: bool = False
    speakers: dict[str, Speaker] = field(default_factory=dict)
    recognised: dict[str, Recognised] = field(default_factory=dict)

    def surprises(self) -> list[str]:
        """What was not as expected."""
        return list(report.surprises(self.script, self.speakers, self.recognised))

    def report(self) -> list[dict[str, Any]]:
        """The speakers as `demo-report.json` has them."""
        return report.as_written(self.speakers)

    def write(self, path: Path) -> None:
        """Write the report."""
        path.write_text(json.dumps(self.report(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    def enrolled_table(self) -> Table:
        """The speakers, with the recordings that were turned down and why."""
        return speaker_table(self.speakers.values())

    def recognised_table(self) -> Table:
        """Who was recognised in the held-out recordings."""
        return report.recognised(self.recognised)


def embedded(data_dir: Path) -> Settings:
    """Settings of the embedded defaults in a folder of their own, on free ports, whatever the user has set."""
    for name in [name for name in os.environ if name.startswith("VOXROLL_") and name not in _KEPT]:
        del os.environ[name]
    os.environ.update(VOXROLL_DATA_DIR=str(data_dir), VOXROLL_ENGINE_PORT="0", VOXROLL_WEBHOOK_PORT="0")
    return load()


async def play(folder: Path, steps: Steps, tell: Tell) -> Demo:
    """Play the whole demo in a folder; the line is up only inside this call.

    Raises:
        CommandError: something that the demo needs could not be had, or a process broke.
        StoppedError: Ctrl-C.
    """
    ending = Ending()
    ending.by_signals()
    settings = embedded(folder / "data")
    demo = Demo()
    await ending.before(_record(demo, settings, folder, tell))
    with tell.stage("line") as done:
        async with line(settings, ending, say=tell.detail) as running:
            done("database, engine, front door and worker are up")
            await ending.before(_enroll(demo, running.url, steps, tell))
            adopt(settings)
            await ending.before(_identify(demo, load(), steps, tell))
    return demo


async def _record(demo: Demo, settings: Settings, folder: Path, tell: Tell) -> None:
    with tell.stage("voices") as done:
        voices = await asyncio.to_thread(cast, settings.cache_dir, say=tell.detail)
        demo.synthetic = voices.synthetic
        done(_whose(voices))
    with tell.stage("recordings") as done:
        demo.script = await asyncio.to_thread(write_all, voices, folder)
        done(f"{demo.script.count()} made of them; 4 must be turned down")


def _whose(voices: Cast) -> str:
    return f"{len(voices.voices)} people: {voices.origin}"


async def _enroll(demo: Demo, url: str, steps: Steps, tell: Tell) -> None:
    with tell.stage("enrolled") as done:
        async with Client(url) as client:
            enrolling = Enrolling(client, steps)
            await enrolling.hand_in({name: [take.path for take in takes] for name, takes in demo.script.takes.items()})
            await enrolling.settle(_WAIT_S)
            for errors in enrolling.failed.values():
                raise errors[0]
            demo.speakers = {name: await _looked_at(client, name, takes) for name, takes in demo.script.takes.items()}
        complete = sum(speaker.enrollment_complete for speaker in demo.speakers.values())
        done(f"{complete} of {len(demo.speakers)} speakers complete")


async def _looked_at(client: Client, name: str, takes: Sequence[Take]) -> Speaker:
    """The speaker once the recordings that must be turned down have been measured: a met goal doesn't wait for them."""
    turned_down = {take.path.name for take in takes if take.codes}
    for _ in range(round(_MEASURE_S / _LOOK_S)):
        speaker = await client.speaker(name)
        unseen = {sample.source for sample in speaker.samples if sample.state in {"planned", "spare"}}
        if not turned_down & unseen:
            break
        await asyncio.sleep(_LOOK_S)
    return speaker


async def _identify(demo: Demo, settings: Settings, steps: Steps, tell: Tell) -> None:
    candidates = [name for name, speaker in demo.speakers.items() if speaker.enrollment_complete]
    if not candidates:
        raise CommandError("nobody_enrolled", "no speaker is complete, so nobody can be recognised")
    steps.total("recognising", len(demo.script.held_out))
    with tell.stage("recognised") as done:
        async with Asker(settings.api) as asker:
            for name, recording in demo.script.held_out.items():
                demo.recognised[name] = await asker.who(recording, candidates)
                steps.step(name)
        right = sum(found.speaker_id == name for name, found in demo.recognised.items())
        done(f"{right} of {len(demo.recognised)} in recordings that were held out")
