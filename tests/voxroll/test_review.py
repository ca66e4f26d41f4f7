"""`voxroll review`: doubtful stretches are heard and decided; a decision is in the plan at once, and it stays whole."""

import asyncio
import fcntl
import io
import json
import os
import signal
import wave
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.voice.apart import Decoders
from engine.voice.rules import Rules
from tests.support.points import Points
from tests.support.review import Command
from tests.support.serving import bound, serving
from tests.support.speech import said, speakers, wav
from tests.support.up import voxroll
from tests.support.voices import voice
from voxroll import plan_file, review_page
from voxroll.checking import Judge
from voxroll.failure import Exit
from voxroll.plan_file import Entry
from voxroll.review_frame import POLICY
from voxroll.review_server import Reviewing
from voxroll.reviewing import SHOWN, Review
from worker.contract.manifest import read
from worker.contract.rows import Row

TOKEN = "t" * 32
AT = datetime(2026, 11, 21, 20, tzinfo=UTC)
STRANGE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    one, other = list(speakers())[:2]
    (folder / "long.wav").write_bytes(wav(said(one, seconds=20)))
    (folder / "other.wav").write_bytes(wav(said(other, seconds=12)))
    return folder


def lines(archive: Path) -> list[dict[str, Any]]:
    """A plan as `voxroll plan` writes it: anna is ready, ben is perhaps two people, clara lies elsewhere."""
    sample = {"sample": {"startS": 1.0, "endS": 16.0, "channel": None}, "speechS": 13.0}
    long, other = str(archive / "long.wav"), str(archive / "other.wav")
    return [
        {"speakerId": "anna", "source": long, **sample},
        {"speakerId": "ben", "source": long, **sample},
        {"speakerId": "ben", "source": other, "ref": "r1", **sample, "doubts": {"different_voice": STRANGE}},
        {"speakerId": "clara", "source": "https://x.example/a.wav", "doubts": {"short": "4.0 s"}},
        {"speakerId": "dora", "source": str(archive / "gone.wav"), "start": 2, "end": 9},
    ]


@dataclass
class Page:
    """The page as a browser sees it."""

    http: aiohttp.ClientSession
    url: str
    plan: Path

    @property
    def origin(self) -> str:
        return self.url.rsplit("/", 2)[0]

    def told(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.plan.read_text().splitlines()]

    def ref(self, line: int) -> dict[str, Any]:
        return {"line": line, "is": {one.line: one.is_ for one in plan_file.read(self.plan)}[line]}

    async def get(self, path: str, **query: str) -> tuple[int, bytes]:
        async with self.http.get(self.url + path, params=query) as answer:
            return answer.status, await answer.read()

    async def sound(self, line: int, **query: str) -> tuple[int, bytes]:
        return await self.get(f"sound/{line}", **{"is": self.ref(line)["is"], **query})

    async def decide(self, decision: str, *refs: dict[str, Any], **said: Any) -> tuple[int, dict[str, Any]]:
        body = {"decision": decision, "rows": refs, **said}
        async with self.http.post(f"{self.url}decide", json=body, headers={"Origin": self.origin}) as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def page(archive: Path, tmp_path: Path) -> AsyncIterator[Page]:
    plan = tmp_path / "plan.jsonl"
    plan.write_text("".join(json.dumps(one) + "\n" for one in lines(archive)))
    with Decoders() as decoders:
        judge = Judge(voice=voice(), decoders=decoders, rules=Rules(), limit_s=1800)
        reviewing = Reviewing(plan=plan, token=TOKEN, judge=judge.one, decoders=decoders, now=lambda: AT)
        async with serving(reviewing.app()) as url, aiohttp.ClientSession() as http:
            yield Page(http, f"{url}/{TOKEN}/", plan)


async def test_who_is_in_doubt_is_shown_and_nothing_else_is_loaded_or_run(page: Page) -> None:
    async with page.http.get(page.url) as answer:
        text, policy = await answer.text(), answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert policy == POLICY
    assert STRANGE not in text
    assert text.index("<h2>ben</h2>") < text.index("<h2>clara</h2>")
    assert "<h2>anna</h2>" not in text
    assert "4 people, 2 in doubt; recordings: 2 to decide, 0 accepted" in text
    everybody = (await page.get("", show="all"))[1].decode()
    assert [name for name in ("anna", "ben", "clara", "dora") if f"<h2>{name}</h2>" in everybody] == [
        "anna",
        "ben",
        "clara",
        "dora",
    ]
    assert "<h2>dora</h2>" in (await page.get("", find="DO"))[1].decode()
    assert "There is nobody" in (await page.get("", show="decided", page="999999999999"))[1].decode()


async def test_whoever_lacks_the_token_or_comes_from_another_page_may_nothing(page: Page) -> None:
    before = page.plan.read_bytes()
    body = {"decision": "reject", "rows": [page.ref(3)]}
    own = {"Origin": page.origin}
    wrong_token = page.url.replace(TOKEN, "u" * 32)
    for url in (wrong_token, f"{page.origin}/", f"{page.origin}/decide"):
        async with page.http.get(url) as answer:
            assert answer.status == 404
            assert "Content-Security-Policy" in answer.headers
    async with page.http.post(f"{wrong_token}decide", json=body, headers=own) as answer:
        assert answer.status == 404
    foreign = [{"Origin": "http://evil.example"}, {"Origin": "null"}, {}, {**own, "Host": "evil.example"}]
    for headers in foreign:
        async with page.http.post(f"{page.url}decide", json=body, headers=headers) as answer:
            assert (answer.status, (await answer.json())["code"]) == (403, "foreign_origin")
    async with page.http.post(f"{page.url}decide", data=json.dumps(body), headers=own) as answer:
        assert answer.status == 403
    async with page.http.get(page.url, headers={"Host": "rebound.example"}) as answer:
        assert answer.status == 403
    assert page.plan.read_bytes() == before


async def test_a_stretch_is_played_of_recordings_that_the_plan_names_alone(page: Page) -> None:
    status, content = await page.sound(2, start="1", end="00:16.5")
    with wave.open(io.BytesIO(content)) as sound:
        assert (status, sound.getnframes() / sound.getframerate()) == (200, pytest.approx(15.5, abs=0.001))
    found = {}
    for line, query in (
        (2, {"start": "0", "end": "121"}),
        (2, {"start": "1"}),
        (2, {"start": "9", "end": "3"}),
        (2, {"start": "x", "end": "3"}),
        (2, {"start": "0", "end": "9", "channel": "x"}),
        (2, {"start": "0", "end": "9", "channel": "1"}),
        (2, {"start": "30", "end": "40"}),
        (4, {"start": "0", "end": "9"}),
        (5, {"start": "0", "end": "9"}),
    ):
        status, content = await page.sound(line, **query)
        told = json.loads(content)
        assert str(page.plan.parent) not in told["message"]
        found[line, *query.values()] = (status, told["code"])
    assert set(found.values()) == {
        (422, "stretch_invalid"),
        (422, "channel_invalid"),
        (422, "channel_missing"),
        (422, "empty"),
        (422, "unreadable_source"),
        (422, "not_found"),
    }
    assert (await page.get("sound/2", start="0", end="9", **{"is": "0" * 16}))[0] == 409
    assert (await page.get("sound/77", start="0", end="9", **{"is": "0" * 16}))[0] == 409
    assert (await page.get("sound/../../etc/passwd"))[0] == 404


async def test_decisions_are_in_the_plan_and_undone_leave_no_trace(page: Page) -> None:
    before = page.plan.read_bytes()
    status, told = await page.decide("reject", page.ref(2), page.ref(3))
    assert (status, told["sums"].split("; ")[1]) == (200, "recordings: 1 to decide, 0 accepted, 2 rejected, 0 moved")
    assert all('class="rejected"' in card for card in told["cards"])
    assert told["said"] == "rejected; 0.0 s of speech in all that is left, 12 s make an enrollment complete"
    rows = [row for row in read(page.plan) if isinstance(row, Row)]
    assert [row.rejected for row in rows] == [False, True, True, False, False]
    assert page.told()[1]["review"] == {"decision": "rejected", "at": "2026-11-21T20:00:00+00:00"}
    assert (await page.sound(2, start="1", end="3"))[0] == 200  # to think again
    await page.decide("accept", page.ref(3))
    assert [row.rejected for row in read(page.plan) if isinstance(row, Row)] == [False, True, False, False, False]
    assert (await page.decide("undo", page.ref(2), page.ref(3)))[0] == 200
    assert page.plan.read_bytes() == before
    assert page.plan.stat().st_mode & 0o077 == 0


async def test_a_stretch_is_moved_where_the_rules_allow_it(page: Page) -> None:
    before = page.plan.read_bytes()
    refused = [("2", "5", "too_short"), ("30", "44", "stretch_missing"), ("9", "2", "stretch_invalid")]
    for start, end, code in refused:
        status, told = await page.decide("move", page.ref(3), start=start, end=end)
        assert (status, told["code"]) == (422, code), told
    assert (await page.decide("move", page.ref(5), start="0", end="9"))[1]["code"] == "not_found"
    assert page.plan.read_bytes() == before
    status, told = await page.decide("move", page.ref(3), start="2.5", end="00:11")
    assert status == 200, told
    assert "moved" in told["cards"][0]
    row = [row for row in read(page.plan) if isinstance(row, Row)][2]
    assert (row.stretch.start_s, row.stretch.end_s, row.ref) == (2.5, 11.0, "r1")
    sample = page.told()[2]["sample"]
    assert 2.5 <= sample["startS"] < sample["endS"] <= 11.0
    await page.decide("reject", page.ref(3))
    assert "start" not in page.told()[2]
    await page.decide("undo", page.ref(3))
    assert page.plan.read_bytes() == before


async def test_what_others_change_meanwhile_is_seen_and_kept(page: Page) -> None:
    seen = {line: page.ref(line) for line in (1, 2, 3)}
    told = page.told()
    told[0]["ref"] = "by another"
    told[2]["ref"] = "likewise"
    page.plan.write_text("".join(json.dumps(one) + "\n" for one in told))
    between = page.plan.read_bytes()
    assert (await page.decide("reject", seen[3]))[1]["code"] == "plan_changed"
    assert (await page.decide("reject", seen[2], seen[3]))[0] == 409  # all or none
    assert (await page.decide("move", seen[3], start="2", end="11"))[0] == 409
    assert page.plan.read_bytes() == between
    assert (await page.decide("reject", seen[2]))[0] == 200
    after = page.told()
    assert (after[0]["ref"], after[1]["rejected"], after[2]["ref"]) == ("by another", True, "likewise")
    page.plan.unlink()
    assert (await page.decide("reject", seen[1]))[0] == 503
    assert (await page.get(""))[0] == 503
    assert not page.plan.exists()


async def test_decisions_at_one_time_are_all_kept(page: Page) -> None:
    many = [{"speakerId": f"s{number}", "source": "a.wav"} for number in range(30)]
    page.plan.write_text("".join(json.dumps(one) + "\n" for one in many))
    refs = [page.ref(number + 1) for number in range(30)]
    answers = await asyncio.gather(*(page.decide("reject", ref) for ref in refs))
    assert [status for status, _ in answers] == [200] * 30
    assert all(one["rejected"] for one in page.told())


def test_a_new_plan_waits_until_no_decision_is_being_written(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)

    class Rows(io.StringIO):
        def __next__(self) -> str:  # type: ignore[override]  # text in the place of bytes, as in io itself
            with pytest.raises(BlockingIOError):
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return super().__next__()

    plan_file.write(tmp_path / "plan.jsonl", Rows('{"speakerId": "anna"}\n'), {"anna": {"short": "7.0 s"}})
    assert json.loads((tmp_path / "plan.jsonl").read_text()) == {"speakerId": "anna", "doubts": {"short": "7.0 s"}}
    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(folder)


@pytest.mark.parametrize(
    "body",
    [
        *("", "[]", "{}", "[" * 100_000, '{"decision":"reject"}', '{"decision":"reject","rows":[]}'),
        *('{"decision":"reject","rows":[{"line":1}]}', '{"decision":"reject","rows":7}'),
        *('{"decision":"reject","rows":[{"line":true,"is":"x"}]}', '{"decision":["x"],"rows":[{"line":1,"is":"x"}]}'),
    ],
)
async def test_what_is_no_decision_is_refused_in_words(page: Page, body: str) -> None:
    headers = {"Origin": page.origin, "Content-Type": "application/json"}
    async with page.http.post(f"{page.url}decide", data=body, headers=headers) as answer:
        assert (answer.status, (await answer.json())["code"]) == (422, "bad_request")


_TEXT = st.text(st.characters())  # half characters too
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats() | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)
_NAMES = ("speakerId", "source", "sample", "speechS", "doubts", "review", "rejected", "start", "end", "channel")


@given(told=st.dictionaries(st.sampled_from(_NAMES) | _TEXT, _JSON, max_size=6))
def test_a_plan_may_say_anything_and_is_shown(told: dict[str, Any]) -> None:
    entry = Entry(1, b"", told)
    shown = review_page.page(Review([entry]), name="x", show="all", find="", number=1)
    assert shown.encode().count(b"<article") == 1


@given(decisions=st.lists(st.sampled_from([plan_file.accepted, plan_file.rejected]), min_size=1, max_size=4))
def test_each_decision_replaces_the_one_before(decisions: list[Callable[..., dict[str, Any]]]) -> None:
    first = {"speakerId": "anna", "source": "a.wav", "speechS": 12.5}
    told: dict[str, Any] = first
    for decide in decisions:
        told = decide(told, at=AT)
    assert told == decisions[-1](first, at=AT)
    assert plan_file.original(told) == first


def test_a_page_is_as_large_as_its_people_however_many_there_are() -> None:
    doubts = {"short": "7.0 s"}
    told = [
        {"speakerId": f"s{n // 3}", "source": "a.wav", **({"doubts": doubts} if n % 7 else {})} for n in range(24_000)
    ]
    review = Review([Entry(number, b"", one) for number, one in enumerate(told, 1)])
    first = review_page.page(review, name="x", show="doubtful", find="", number=1)
    last = review_page.page(review, name="x", show="all", find="", number=10**8)
    assert (first.count("<section>"), last.count("<section>")) == (SHOWN, 8000 % SHOWN or SHOWN)
    assert max(len(first), len(last)) < 100_000


@pytest.fixture
def plan(archive: Path, tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "plan.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in lines(archive)))
    yield path
    assert [one.name for one in tmp_path.glob("*.jsonl")] == ["plan.jsonl"]


async def test_a_review_that_is_killed_between_two_writes_leaves_a_whole_plan(plan: Path, tmp_path: Path) -> None:
    points = Points(tmp_path / "points")
    command = Command(plan, tmp_path, VOXROLL_POINTS=str(points.folder))
    async with aiohttp.ClientSession() as http:
        page = Page(http, command.told["url"], plan)
        assert (await page.decide("reject", page.ref(2)))[0] == 200
        decided = plan.read_bytes()
        points.arm("whole.written", "kill")
        with pytest.raises(aiohttp.ClientError):
            await page.decide("reject", page.ref(3))
        assert command.process.wait(60) == -signal.SIGKILL
        command.process.communicate()
        assert plan.read_bytes() == decided
        again = Command(plan, tmp_path)
        assert (again.told["people"], again.told["open"], again.told["rejected"]) == (4, 2, 1)
        page = Page(http, again.told["url"], plan)
        assert page.url.rsplit("/", 2)[1] != command.told["url"].rsplit("/", 2)[1]
        assert (await page.decide("accept", page.ref(3)))[0] == 200
    code, words = again.ends(signal.SIGINT)
    assert code == Exit.OK, words
    assert "1 accepted, 1 rejected" in words
    assert not any(word in words for word in ("ben", "long.wav", "other.wav", page.url))


def test_what_was_decided_is_heeded_and_not_planned_over(plan: Path, tmp_path: Path) -> None:
    (entry,) = [one for one in plan_file.read(plan) if one.line == 2]
    plan_file.change(plan, [(2, entry.is_)], lambda told: plan_file.rejected(told, at=AT))
    over = voxroll("plan", str(plan), "--into", str(tmp_path), "--offline", "--json", data_dir=tmp_path)
    assert (over.returncode, json.loads(over.stdout)["error"]["code"]) == (Exit.USAGE, "plan_reviewed")
    (tmp_path / "new").mkdir()
    anew = voxroll("plan", str(plan), "--into", str(tmp_path / "new"), "--offline", "--json", data_dir=tmp_path)
    assert json.loads(anew.stdout)["codes"]["rejected"] == 1, anew.stderr
    sources = [json.loads(line) for line in (tmp_path / "new" / "plan.jsonl").read_text().splitlines()]
    assert [(one["speakerId"], os.path.basename(one["source"])) for one in sources] == [  # noqa: PTH119 -- addresses too
        ("anna", "long.wav"),
        ("ben", "other.wav"),
        ("clara", "a.wav"),
    ]


@pytest.mark.parametrize(
    ("content", "code"), [(None, Exit.USAGE), ("", Exit.NOTHING), ("id,file\na,b\n", Exit.NOTHING)]
)
def test_what_is_no_plan_is_not_reviewed(tmp_path: Path, content: str | None, code: Exit) -> None:
    plan = tmp_path / "plan.jsonl"
    if content is not None:
        plan.write_text(content)
    done = voxroll("review", str(plan), "--json", data_dir=tmp_path)
    assert done.returncode == code, done.stderr
    assert json.loads(done.stdout)["error"]["code"] == ("no_plan" if content is not None else "file_not_found")


def test_a_port_that_is_taken_is_told(plan: Path, tmp_path: Path) -> None:
    with bound() as taken:
        port = str(taken.getsockname()[1])
        done = voxroll("review", str(plan), "--port", port, "--json", data_dir=tmp_path)
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (Exit.FAILED, "port_in_use")
