"""`voxroll plan`: who is ready and who is not, which calls that takes, and a manifest that `run` takes."""

import asyncio
import json
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from arq.connections import ArqRedis

from config.settings import Settings
from engine.voice.found import Window
from engine.voice.likeness import KnownVoice
from engine.voice.measures import Measures
from tests.support.lives import START
from tests.support.serving import serving
from tests.support.speech import said, speakers, wav
from tests.support.up import voxroll
from tests.support.voices import voice
from voxroll.alike import Crowd
from voxroll.doubts import doubts
from voxroll.failure import Exit
from voxroll.planning import Person, Planning
from webhook.app import create_app
from worker.contract.manifest import read
from worker.contract.rows import Row
from worker.enrollment.facts import ConflictSuspected, EnrollmentSeen, RecordingPlanned, SpeakerErased
from worker.enrollment.record import Enrollment, Quality, RecordingId, SpeakerId
from worker.enrollment.steps import Policy
from worker.store.status import StatusStore


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    one, other, third, fourth = list(speakers())[:4]
    (folder / "long.wav").write_bytes(wav(said(one, seconds=20)))
    (folder / "more.wav").write_bytes(wav(said(one, seconds=8, skip=5)))
    (folder / "little.wav").write_bytes(wav(said(fourth, seconds=8)))
    (folder / "again.wav").write_bytes(wav(said(one, seconds=15, skip=6)))
    (folder / "other.wav").write_bytes(wav(said(other, seconds=15, skip=4)))
    (folder / "third.wav").write_bytes(wav(said(third, seconds=15, skip=4)))
    (folder / "short.wav").write_bytes(wav(said(other, seconds=8)))
    (folder / "none.wav").write_bytes(b"no audio")
    return folder


def test_everybody_has_an_outlook_and_the_plan_can_be_run(archive: Path, tmp_path: Path) -> None:
    manifest = archive / "roster.csv"
    rows = [
        *("anna,long.wav,", "anna,more.wav,", "ben,short.wav,", "clara,none.wav,", "dora,long.wav,no"),
        *("edgar,https://x.example/a.wav,", ",long.wav,", "f f,long.wav,"),
    ]
    manifest.write_text("id,file,consent\n" + "\n".join(rows) + "\n")
    variables = {"VOXROLL_API_CALLS": "10"}
    arguments = (str(manifest), "--into", str(tmp_path), "--price", "0.5", "--json")
    done = voxroll("plan", *arguments, data_dir=tmp_path / "data", **variables)
    assert done.returncode == Exit.INCOMPLETE, done.stderr
    told = json.loads(done.stdout)
    assert told["speakers"] == {
        "ready": 1,
        "enrolled": 0,
        "doubtful": 0,
        "short": 1,
        "unseen": 1,
        "unreadable": 1,
        "blocked": 1,
    }
    assert told["shortBy"]["median"] == told["shortBy"]["most"] == pytest.approx(12 - 7, abs=1.5)
    assert (told["asked"], told["unasked"].split(":")[0]) == (False, "front_door_unreachable")
    assert told["codes"] == {"bad_row": 2, "not_audio": 1, "no_consent": 1}
    assert (told["rows"], told["calls"]) == (8, {"create": 3, "fewest": 3, "most": 4})
    assert told["price"] == {"fewest": 1.5, "most": 2.0}
    assert told["hours"]["most"] == pytest.approx(4 / 10 / 60, abs=0.005)
    kept = [row for row in read(tmp_path / "plan.jsonl") if isinstance(row, Row)]
    assert [(row.speaker_id, row.source) for row in kept] == [
        ("anna", str(archive / "long.wav")),
        ("anna", str(archive / "more.wav")),
        ("ben", str(archive / "short.wav")),
        ("edgar", "https://x.example/a.wav"),
    ]
    first, _, ben, _ = map(json.loads, (tmp_path / "plan.jsonl").read_text().splitlines())
    assert first["sample"]["endS"] > first["sample"]["startS"]
    assert ("doubts" in first, list(ben["doubts"])) == (False, ["short"])
    page = (tmp_path / "plan.html").read_text()
    for word in ("ben", "short", "clara", "not_audio", "dora", "no_consent", "3 to 4"):
        assert word in page, word
    assert "<script" not in page
    text = voxroll("plan", *arguments[:-1], data_dir=tmp_path / "data", **variables).stdout
    assert "5 people in 8 rows: 1 ready" in text
    assert "nobody was asked who is enrolled, erased or opted out (front_door_unreachable" in text


def test_some_are_looked_at_for_an_estimate(archive: Path, tmp_path: Path) -> None:
    manifest = archive / "many.csv"
    manifest.write_text("id,file\n" + "".join(f"s{number},long.wav\n" for number in range(20)))
    done = voxroll("plan", str(manifest), "--into", str(tmp_path), "--sample", "1", "--json", data_dir=tmp_path)
    told = json.loads(done.stdout)
    assert (done.returncode, told["speakers"]["ready"], told["scale"]) == (Exit.OK, 1, 20.0)
    assert told["calls"] == {"create": 20, "fewest": 20, "most": 20}
    assert not (tmp_path / "plan.jsonl").exists()


async def test_the_front_door_says_who_is_enrolled_erased_or_in_doubt(
    archive: Path, tmp_path: Path, settings: Settings, redis: ArqRedis
) -> None:
    store = StatusStore(redis, account=settings.account, policy=Policy(), events_kept=1000)
    for name, quality in (("anna", Quality.HIGH), ("ben", Quality.GOOD), ("clara", Quality.POOR)):
        complete = name != "clara"
        seen = Enrollment(audio_s=30, speech_s=28 if complete else 8, complete=complete, quality=quality)
        await store.apply(SpeakerId(name), EnrollmentSeen(at=START, enrollment=seen))
    await store.apply(SpeakerId("dora"), SpeakerErased(at=START))
    planned = RecordingPlanned(at=START, recording_id=RecordingId("r"), source="http://x/a.wav", name="a.wav")
    alike = ConflictSuspected(at=START, recording_id=RecordingId("r"), other=SpeakerId("ben"), score=0.8, threshold=0.7)
    await store.apply(SpeakerId("edgar"), planned, alike)
    manifest = tmp_path / "roster.csv"
    files = ["gone.wav", "third.wav", "short.wav", "long.wav", "long.wav", "little.wav"]
    rows = zip(("anna", "ben", "clara", "dora", "edgar", "fritz"), files, strict=True)
    manifest.write_text("id,file\n" + "".join(f"{name},{archive / file}\n" for name, file in rows))
    async with serving(create_app(settings)) as url:
        arguments = ("plan", str(manifest), "--into", str(tmp_path), "--json")
        done = await asyncio.to_thread(voxroll, *arguments, data_dir=tmp_path, VOXROLL_URL=url)
    told = json.loads(done.stdout)
    found = {name: number for name, number in told["speakers"].items() if number}
    assert found == {"enrolled": 2, "ready": 1, "doubtful": 1, "short": 1, "blocked": 1}
    assert (told["asked"], told["codes"]) == (True, {"speaker_erased": 1})
    assert told["calls"] == {"create": 2, "fewest": 3, "most": 4}  # ben and clara have begun, anna needs nothing
    kept = [row.speaker_id for row in read(tmp_path / "plan.jsonl") if isinstance(row, Row)]
    assert kept == ["anna", "ben", "clara", "edgar", "fritz"]


def test_without_consent_nothing_is_looked_at(archive: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "roster.csv"
    manifest.write_text("".join(f"{line}\n" for line in ("id,file", f"anna,{archive / 'long.wav'}", "ben,gone.wav")))
    (tmp_path / "consent.csv").write_text("speakerId,consent,from,to\nanna,yes,2020-01-01,\nben,no,,\nc,perhaps,,\n")
    options = ("--consent", str(tmp_path / "consent.csv"), "--into", str(tmp_path), "--offline", "--json")
    done = voxroll("plan", str(manifest), *options, data_dir=tmp_path)
    told = json.loads(done.stdout)
    assert (told["speakers"]["ready"], told["speakers"]["blocked"], told["codes"]) == (1, 1, {"no_consent": 1})
    assert (told["badConsents"], told["badConsent"].split(":")[0]) == (1, "line 4, consent")
    assert (told["asked"], told["unasked"]) == (False, "--offline")


def test_recordings_of_two_voices_under_one_id_are_perhaps_somebody_elses(archive: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "roster.csv"
    rows = [f"anna,{archive / 'long.wav'}", f"anna,{archive / 'more.wav'}", f"ben,{archive / 'other.wav'}"]
    manifest.write_text("\n".join(["id,file", *rows, f"ben,{archive / 'third.wav'}"]) + "\n")
    done = voxroll("plan", str(manifest), "--into", str(tmp_path), "--json", "--offline", data_dir=tmp_path)
    told = json.loads(done.stdout)
    assert (told["speakers"]["ready"], told["speakers"]["doubtful"]) == (1, 1)
    assert told["codes"] == {"different_voice": 1}
    page = (tmp_path / "plan.html").read_text()
    assert "perhaps somebody else" in page
    assert "line 5: likeness 0." in page
    kept = [json.loads(line) for line in (tmp_path / "plan.jsonl").read_text().splitlines()]
    assert [list(row.get("doubts", {})) for row in kept] == [[], [], [], ["different_voice"]]


def test_one_voice_under_two_ids_is_perhaps_somebody_elses(archive: Path, tmp_path: Path) -> None:
    manifest = tmp_path / "roster.csv"
    names = {"anna": "long.wav", "annie": "again.wav", "ben": "other.wav", "clara": "third.wav"}
    rows = [f"{name},{archive / file}" for name, file in names.items()]
    manifest.write_text("\n".join(["id,file", "anna,gone.wav", *rows, ""]))
    done = voxroll("plan", str(manifest), "--into", str(tmp_path), "--json", "--offline", data_dir=tmp_path)
    assert {name: number for name, number in json.loads(done.stdout)["speakers"].items() if number} == {
        "ready": 2,
        "doubtful": 2,
    }
    page = (tmp_path / "plan.html").read_text()
    assert "to annie, less than 0.50 needed" in page  # of anna, whose other row is not what a person decides of
    assert "to anna, less than 0.50 needed" in page
    told = [json.loads(line) for line in (tmp_path / "plan.jsonl").read_text().splitlines()]
    assert {row["speakerId"] for row in told if "same_voice_other_id" in row.get("doubts", {})} == {"anna", "annie"}


def test_a_crowd_is_searched_by_its_own_scores_and_by_telephone_only_then() -> None:
    random = np.random.default_rng(1)
    size = len(voice().centre(narrow_band=True))

    def known(*, wide: bool) -> KnownVoice:
        vector = (random.normal(size=size) + voice().centre(narrow_band=not wide)).astype(np.float32)
        return KnownVoice(wide=vector if wide else None, narrow=vector, speech_s=20, samples=1)

    few, many = Crowd(voice()), Crowd(voice())
    twin = known(wide=False)
    for crowd, number in ((few, 10), (many, 600)):
        for index in range(number):
            crowd.add(f"s{index}", known(wide=False))
        for name in ("one", "two"):
            crowd.add(name, twin)
    assert list(few.pairs()) == []
    (found,) = many.pairs()
    assert (found.one, found.other) == ("one", "two")
    assert found.score == pytest.approx(1, abs=0.01)
    assert list(Crowd(voice()).pairs()) == []


def test_a_row_that_can_t_be_read_is_somebody_who_is_not_ready(archive: Path, tmp_path: Path) -> None:
    manifest = archive / "nearly.csv"
    manifest.write_text("id,file\nanna,long.wav\nf f,long.wav\n")
    done = voxroll("plan", str(manifest), "--into", str(tmp_path), "--offline", "--json", data_dir=tmp_path)
    told = json.loads(done.stdout)
    assert (done.returncode, told["speakers"]["ready"], told["codes"]) == (Exit.INCOMPLETE, 1, {"bad_row": 1})


@pytest.mark.parametrize("text", ["", "id,file\n"])
def test_nobody_is_nothing_to_do(tmp_path: Path, text: str) -> None:
    (tmp_path / "empty.csv").write_text(text)
    done = voxroll("plan", str(tmp_path / "empty.csv"), "--into", str(tmp_path), data_dir=tmp_path)
    assert done.returncode == Exit.NOTHING, done.stderr


def test_noise_is_doubted_and_the_telephone_is_not() -> None:
    told: dict[str, Any] = dict.fromkeys((one.name for one in fields(Measures)), 0.0)
    told |= {"speech_s": 8.0, "snr_db": 25.0, "consistency": 0.75, "narrow_band": True, "line": True}
    measured = Measures(**told)
    window = Window(0.0, 10.0, None, measured, score=0.5)
    assert doubts(window, disagreement=None) == {}
    noisy = replace(window, measures=replace(measured, snr_db=9.0, consistency=0.45))
    assert list(doubts(noisy, disagreement="other")) == ["different_voice", "poor_grade"]
    assert doubts(None, disagreement=None) == {}


def test_calls_are_counted_to_the_goal_and_no_further() -> None:
    person = Person(speech_s=[3.0, 9.0, 5.0, 7.0], unseen=3)
    assert (person.fewest(5), person.most(5), person.short_by_s(5)) == (2, 5, 0.0)
    short = Person(speech_s=[3.0])
    assert (short.fewest(5), short.most(5), short.short_by_s(5)) == (1, 1, 9.0)
    told = Planning(5, persons={"a": person, "b": short}).document(calls=0, window=timedelta(0), price=0, scale=2)
    assert (told["calls"], told["hours"]["most"]) == ({"create": 4, "fewest": 6, "most": 12}, None)
