"""Which recording a row means: paths count from its manifest, file: URLs are files, other addresses lie elsewhere."""

from pathlib import Path

import pytest

from voxroll.asked import is_address, of_row
from worker.contract.rows import Row


@pytest.mark.parametrize(
    ("source", "file"),
    [
        ("a.wav", "/calls/a.wav"),
        ("/other/a.wav", "/other/a.wav"),
        ("file:///other/a%20b.wav", "/other/a b.wav"),
        ("file://[x", "/calls/[x"),
    ],
)
def test_a_row_that_names_a_file_means_it(source: str, file: str) -> None:
    asked = of_row(Path("/calls/roster.csv"), Row(line=1, source=source))
    assert (asked.file, asked.refusal, is_address(source)) == (Path(file), None, False)


@pytest.mark.parametrize("source", ["https://x.example/a.wav", "s3://calls/a.wav", "gs://calls/a.wav", "odd://x"])
def test_a_row_at_an_address_is_not_looked_at(source: str) -> None:
    asked = of_row(Path("/calls/roster.csv"), Row(line=1, source=source))
    assert asked.refusal
    assert (asked.refusal.code, is_address(source)) == ("unreadable_source", True)
