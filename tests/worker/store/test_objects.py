"""An object store that can't be opened is told of at start; one that doesn't answer, when it is looked at."""

import pytest

from config.settings import Objects, Settings, SettingsError
from tests.support.stores import SECRET, STRANGERS, bucket
from worker.enrollment.errors import RetryLaterError
from worker.store.objects import ObjectStore


def at(url: str, settings: Settings) -> ObjectStore:
    return ObjectStore(settings.model_copy(update={"objects": Objects(url=url)}))


@pytest.mark.parametrize("url", ["az://clips", "odd://clips", "clips", "file:///nowhere/there"])
def test_a_place_that_can_not_be_opened_is_refused_at_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "voices")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", f"no base64! {SECRET}")
    with pytest.raises(SettingsError, match="VOXROLL_OBJECTS_URL") as refused:
        at(url, settings)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("scheme", ["s3", "gs", "az"])
async def test_a_store_is_reached_or_not(settings: Settings, monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    async with bucket({"clips/uploads/x": b"x"}, scheme=scheme) as environment:
        for variable, value in environment.items():
            monkeypatch.setenv(variable, value)
        await at(f"{scheme}://clips", settings).reach()
        for variable, value in STRANGERS[scheme].items():
            monkeypatch.setenv(variable, value)
        with pytest.raises(RetryLaterError) as failed:
            await at(f"{scheme}://clips", settings).reach()
        assert failed.value.code == "object_store_failed"
