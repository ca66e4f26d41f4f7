"""Weights are read without torch, and no file makes the reader run code."""

import io
import pickle
import zipfile
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

from engine.voice import weights

# What pickle.dumps would write of a torch tensor [[1, 2], [3, 4]], without torch.
_TENSOR = (
    b"ctorch._utils\n_rebuild_tensor_v2\n((Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nI4\ntQI0\n(I2\nI2\nt(I2\nI1\ntI00\n"
    b"ccollections\nOrderedDict\n)RtR"
)


def file(index: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", index)
        archive.writestr("archive/data/0", np.arange(1, 5, dtype="<f4").tobytes())
    return buffer.getvalue()


class Evil:
    """Prints when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("ran",)


def test_a_state_dict_is_read() -> None:
    found = weights.read(file(b"(dVa\n" + _TENSOR + b"s."))
    np.testing.assert_array_equal(found["a"], [[1, 2], [3, 4]])


def test_weights_are_read_without_running_code() -> None:
    with pytest.raises(weights.WeightsError, match=r"asks for builtins\.print"):
        weights.read(file(pickle.dumps({"a": Evil()})))
    with pytest.raises(weights.WeightsError, match="not a state dict"):
        weights.read(b"PK\x03\x04 and no more")


def test_a_checkpoint_gives_its_state_dict_alone() -> None:
    # beside the tensors an object of a class that nobody has, made, called and given a state
    foreign = b"cnobodys.training\nTask\n)\x81}(Vwidth\nI7\nub"
    index = b"(dVstate_dict\n(dVa\n" + _TENSOR + b"ssVtask\n" + foreign + b"s."
    found = weights.checkpoint(file(index))
    assert list(found) == ["a"]
    np.testing.assert_array_equal(found["a"], [[1, 2], [3, 4]])
    with pytest.raises(weights.WeightsError, match=r"asks for nobodys\.training\.Task"):
        weights.read(file(index))


def test_a_forged_checkpoint_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert weights.checkpoint(file(pickle.dumps({"state_dict": {}, "task": Evil()}))) == {}
    assert weights.checkpoint(file(pickle.dumps({"state_dict": OrderedDict(), "names": {"f": print}}))) == {}
    for given in ({"state_dict": {"a": Evil()}}, {"state_dict": Evil()}, {"other": 1}, Evil(), [1]):
        with pytest.raises(weights.WeightsError, match=r"not a checkpoint|not a dict of tensors"):
            weights.checkpoint(file(pickle.dumps(given)))
    with pytest.raises(weights.WeightsError, match="not a state dict"):
        weights.checkpoint(file(b"cos\nsystem\n(Vls\ntR(Va\nd."))
    assert capsys.readouterr().out == ""
