"""The embedded database: whose it is, where it listens, and that an orphan gives way."""

import os
import tempfile
from pathlib import Path

import pytest

from tests.support.valkey import ValkeyProcess
from voxroll.failure import CommandError
from voxroll.up import valkey


async def test_an_orphan_of_this_folder_is_shut_down_and_no_other(tmp_path: Path) -> None:
    mine, others = tmp_path / "mine", tmp_path / "others"
    others.mkdir()
    server = ValkeyProcess(mine)
    server.start()
    try:
        socket = Path(server.url.removeprefix("unix://"))
        with pytest.raises(CommandError, match="foreign_server"):
            await valkey.end_orphan(socket, others)
        await valkey.ready(socket)  # untouched
        assert await valkey.end_orphan(socket, mine) is not None
        assert await valkey.end_orphan(socket, mine) is None
    finally:
        server.close()


async def test_a_socket_that_nobody_listens_on_is_in_nobodys_way(tmp_path: Path) -> None:
    assert await valkey.end_orphan(tmp_path / "valkey.sock", tmp_path) is None


def test_a_path_too_long_for_a_socket_moves_to_a_folder_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    temporary = tempfile.TemporaryDirectory(prefix="vx-")
    request.addfinalizer(temporary.cleanup)
    monkeypatch.setattr("tempfile.tempdir", temporary.name)
    deep = tmp_path.joinpath(*["deeper" * 3] * 6)
    found = valkey.socket_path(deep)
    assert found == valkey.socket_path(deep)
    assert found != valkey.socket_path(deep / "still")
    assert len(os.fsencode(found)) <= 107  # what the kernel takes
    found.parent.chmod(0o755)
    with pytest.raises(CommandError, match="unsafe_temp_dir"):
        valkey.socket_path(deep)
