"""Addresses in object stores: what is fetched is what was compared with what is allowed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.contract.buckets import SCHEMES, Lying, folder_at, is_within, lying_at, placed


@pytest.mark.parametrize(
    ("url", "lying"),
    [
        ("s3://calls/2026/a.wav", Lying("s3://calls", "2026/a.wav")),
        ("gs://c-1/a b?c#d%2e.wav", Lying("gs://c-1", "a b?c#d%2e.wav")),
        ("az://calls/a.wav", Lying("az://calls", "a.wav")),
    ],
)
def test_an_address_is_a_bucket_and_a_key_as_written(url: str, lying: Lying) -> None:
    assert lying_at(url) == lying


@pytest.mark.parametrize(
    "url",
    [
        *("s3://calls", "s3://calls/", "s3://calls/a/", "s3://calls//a", "s3://calls/../other/a", "s3://calls/./a"),
        *("s3:///a", "s3://u:p@calls/a", "http://calls/a", "s3://calls:80/a", "S3://calls/a", "s3://../a", ""),
    ],
)
def test_what_names_no_object_is_none(url: str) -> None:
    assert lying_at(url) is None


@pytest.mark.parametrize(
    ("url", "lying"),
    [
        ("gs://calls", Lying("gs://calls", "")),
        ("gs://calls/", Lying("gs://calls", "")),
        ("az://calls/2026/may/", Lying("az://calls", "2026/may")),
        *(
            (url, None)
            for url in ("s3://calls/2026", "s3://calls//", "s3://calls/../", "s3://u:p@calls/", "s3:///", "a/")
        ),
    ],
)
def test_a_folder_is_a_bucket_or_ends_with_a_slash(url: str, lying: Lying | None) -> None:
    assert folder_at(url) == lying


@pytest.mark.parametrize(
    ("url", "prefixes", "is_allowed"),
    [
        ("s3://calls/a.wav", ("s3://calls",), True),
        ("s3://calls/a.wav", ("s3://calls/",), True),
        ("s3://calls-too/a.wav", ("s3://calls",), False),
        ("s3://calls/2026/a.wav", ("gs://calls", "s3://calls/2026"), True),
        ("s3://calls/20261/a.wav", ("s3://calls/2026",), False),
        ("gs://calls/a.wav", ("s3://calls",), False),
        ("s3://calls/a.wav", (), False),
    ],
)
def test_only_what_lies_below_is_allowed(url: str, prefixes: tuple[str, ...], *, is_allowed: bool) -> None:
    lying = lying_at(url)
    assert lying
    assert is_within(lying, prefixes) is is_allowed


@given(scheme=st.sampled_from(SCHEMES), key=st.text(min_size=1))
def test_no_key_leaves_its_folder(scheme: str, key: str) -> None:
    lying = lying_at(f"{scheme}://calls/2026/{key}")
    assert lying is None or (lying.key == f"2026/{key}" and ".." not in lying.key.split("/"))


@pytest.mark.parametrize(
    ("source", "folder", "place"),
    [
        ("a.wav", "/calls", "/calls/a.wav"),
        ("a.wav", "/", "/a.wav"),
        ("b/a.wav", "s3://calls/2026", "s3://calls/2026/b/a.wav"),
        ("/a.wav", "s3://calls", "/a.wav"),
        ("https://x/a.wav", "/calls", "https://x/a.wav"),
        ("//[x", "/calls", "//[x"),
        ("a.wav", "", "a.wav"),
    ],
)
def test_paths_count_from_a_folder(source: str, folder: str, place: str) -> None:
    assert placed(source, folder) == place
