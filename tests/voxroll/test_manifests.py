"""A folder in a bucket is a manifest, as a folder on this machine is."""

import asyncio
from pathlib import Path

import pytest

from tests.support.stores import bucket
from voxroll.commands.manifests import at_hand
from voxroll.failure import CommandError
from worker.contract.manifest import read
from worker.contract.rows import Row

_OBJECTS = ("anna/2.wav", "anna/1 é.wav", "anna/deeper/3.wav", "ben/.DS_Store", "ben/1.mp3", ".hidden/x.wav")


def rows(manifest: str) -> list[tuple[str | None, str]]:
    with at_hand(manifest) as (path, _):
        return [(row.speaker_id, row.source) for row in read(path) if isinstance(row, Row)]


async def test_a_folder_in_a_bucket_gives_what_a_local_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = {f"archive/2026/{name}": b"sound" for name in _OBJECTS} | {
        "archive/2026/anna/": b"",
        "archive/a.wav": b"",
    }
    for name in _OBJECTS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    here = [(who, str(Path(source).relative_to(tmp_path))) for who, source in rows(str(tmp_path))]
    assert [name for _, name in here] == ["anna/1 é.wav", "anna/2.wav", "anna/deeper/3.wav", "ben/1.mp3"]
    async with bucket(objects, scheme="gs") as environment:
        for variable, value in environment.items():
            monkeypatch.setenv(variable, value)
        there = await asyncio.to_thread(rows, "gs://archive/2026/")
        assert there == [(who, f"gs://archive/2026/{name}") for who, name in here]
        for url, code in (
            ("gs://archive", "mixed_folder"),
            ("gs://archive/2025/", "not_found"),
            ("gs://archive//", "unreadable_source"),
        ):
            with pytest.raises(CommandError) as refused:
                await asyncio.to_thread(rows, url)
            assert refused.value.code == code, url
