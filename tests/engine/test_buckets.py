"""Objects and folders in S3, Google Cloud Storage and Azure: read whole, bounded, refused with a code, nothing told."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.buckets import copy, keys_below
from engine.download import DownloadError, Limits
from tests.support.stores import KINDS, NONSENSE, SECRET, STRANGERS, bucket

_LIMITS = Limits(max_bytes=10_000_000, seconds=20, allow_private=True, redirects=0, settings="VOXROLL_INTAKE")
_LARGE = bytes(range(256)) * 36_000  # more than one request may ask for
_OBJECTS = {
    "archive/2026/anna/a é#1%2e.wav": b"sound",
    "archive/2026/anna/b.wav": _LARGE,
    "archive/2026/ben/c.wav": b"sound",
    "archive/2026/clara/": b"",
    "archive/2026/huge.wav": bytes(10_000_001),
    "archive/20261/other.wav": b"sound",
    "archive/2026/": b"",
}
_NAMES = tuple(
    f"{prefix}_{end}"
    for prefix, ends in {
        "AWS": ("ENDPOINT_URL", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"),
        "GOOGLE": ("SERVICE_ACCOUNT", "SERVICE_ACCOUNT_KEY", "APPLICATION_CREDENTIALS", "BEARER_TOKEN", "BASE_URL"),
        "AZURE": ("STORAGE_ACCOUNT_NAME", "STORAGE_ACCOUNT_KEY", "STORAGE_SAS_TOKEN", "STORAGE_ENDPOINT"),
    }.items()
    for end in ends
)


@pytest.fixture(params=sorted(KINDS))
async def scheme(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """Of a store that is served, and that the environment lets one in to."""
    name: str = request.param
    for variable in _NAMES:
        monkeypatch.delenv(variable, raising=False)
    async with bucket(_OBJECTS, scheme=name) as environment:
        for variable, value in environment.items():
            monkeypatch.setenv(variable, value)
        yield name


@pytest.mark.parametrize("key", ["2026/anna/a é#1%2e.wav", "2026/anna/b.wav"])
async def test_an_object_is_copied_whole(scheme: str, tmp_path: Path, key: str) -> None:
    await copy(f"{scheme}://archive", key, tmp_path / "copy", _LIMITS)
    assert (tmp_path / "copy").read_bytes() == _OBJECTS[f"archive/{key}"]


@pytest.mark.parametrize(("key", "code"), [("2026/huge.wav", "too_large"), ("2026/none.wav", "not_found")])
async def test_what_will_not_do_is_refused(scheme: str, tmp_path: Path, key: str, code: str) -> None:
    with pytest.raises(DownloadError) as refused:
        await copy(f"{scheme}://archive", key, tmp_path / "copy", _LIMITS)
    assert (refused.value.code, refused.value.is_passing) == (code, False)
    assert not (tmp_path / "copy").exists()


async def test_who_is_not_let_in_is_told_what_to_set(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for environment in (STRANGERS[scheme], NONSENSE.get(scheme, {})):
        for variable, value in environment.items():
            monkeypatch.setenv(variable, value)
        with pytest.raises(DownloadError) as refused:
            await copy(f"{scheme}://archive", "2026/ben/c.wav", tmp_path / "copy", _LIMITS)
        assert (refused.value.code, refused.value.is_passing) == ("forbidden_source", False)
        assert set(_NAMES) & set(str(refused.value).replace(",", "").split())
        assert SECRET not in str(refused.value)


async def test_a_folder_is_listed_page_by_page_and_no_further(scheme: str) -> None:
    place = f"{scheme}://archive"
    assert await keys_below(place, "2026", _LIMITS, most=4) == [
        "anna/a é#1%2e.wav", "anna/b.wav", "ben/c.wav", "huge.wav",
    ]  # fmt: skip
    assert (await keys_below(place, "", _LIMITS, most=9))[-1] == "20261/other.wav"
    for folder, most, code in (("2026", 3, "too_large"), ("2025", 9, "not_found")):
        with pytest.raises(DownloadError) as refused:
            await keys_below(place, folder, _LIMITS, most=most)
        assert refused.value.code == code, folder


async def test_a_bucket_that_is_not_there_may_come(scheme: str) -> None:
    with pytest.raises(DownloadError) as refused:
        await keys_below(f"{scheme}://nowhere", "2026", _LIMITS, most=9)
    assert refused.value.code in {"not_found", "source_unavailable"}
