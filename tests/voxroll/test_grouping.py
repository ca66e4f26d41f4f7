"""Whose recording a file is, told from its name."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxroll.failure import CommandError
from voxroll.grouping import by_folder, by_prefix, check_id, prefix

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NAMES = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_]*[a-zA-Z]", fullmatch=True)
_ANYTHING = st.text(alphabet=st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), max_size=8)


@given(name=_NAMES, number=st.integers(0, 999), end=_ANYTHING)
def test_the_speaker_is_found_whatever_the_numbering(name: str, number: int, end: str) -> None:
    written = (f"{name}-{end}", f"{name}_{number}", f"{name}{number}", f"{name}__{number:03d}", name)
    assert {prefix(stem) for stem in written} == {name}


@given(number=st.integers(0, 10**12), take=st.integers(0, 99))
def test_ids_may_be_numbers(number: int, take: int) -> None:
    assert {prefix(f"{number}-{take}"), prefix(f"{number}_{take}"), prefix(f"{number}")} == {f"{number}"}


@given(stems=st.sets(_ANYTHING.filter(lambda text: text.strip(". ") != ""), max_size=12))
def test_no_file_is_lost_or_used_twice(stems: set[str]) -> None:
    files = [Path("calls") / f"{stem}.wav" for stem in stems]
    groups = by_prefix(files)
    assert sorted(file for group in groups.values() for file in group) == sorted(files)
    assert all(groups)


def test_a_folder_of_folders_has_one_speaker_each(tmp_path: Path) -> None:
    for name in ("anna/1.wav", "anna/2.wav", "ben/1.mp3", "ben/.DS_Store"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "empty").mkdir()
    assert {name: len(files) for name, files in by_folder(tmp_path).items()} == {"anna": 2, "ben": 1}


@pytest.mark.parametrize(
    ("files", "code"), [((), "no_files"), (("anna/1.wav", "stray.wav"), "mixed_folder"), (None, "no_such_folder")]
)
def test_a_folder_that_says_nothing_clear_is_refused(tmp_path: Path, files: tuple[str, ...] | None, code: str) -> None:
    for name in files or ():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(CommandError) as refused:
        by_folder(tmp_path if files is not None else tmp_path / "nowhere")
    assert refused.value.code == code


@given(text=_ANYTHING)
def test_an_id_is_refused_with_one_that_would_do(text: str) -> None:
    try:
        check_id(text)
    except CommandError as refused:
        check_id(refused.message.split("'")[-2])
    else:
        assert set(text) <= {*_LETTERS, *"0123456789_"}
