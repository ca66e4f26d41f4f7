"""Reads the tensors of a torch state dict without torch.

Such a file is a zip of one pickle and one raw little-endian file per storage. The pickle is read by an unpickler that
knows five names, so that a forged file can't run code: `read` refuses every other name, `checkpoint` puts an empty
object in its place. In: bytes. Out: numpy arrays by name. What the tensors mean is not known here.
"""

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

_STORAGES = {"FloatStorage": "<f4", "LongStorage": "<i8", "HalfStorage": "<f2"}


class WeightsError(ValueError):
    """Not a state dict of plain tensors."""


def read(data: bytes) -> dict[str, NDArray[Any]]:
    """Read all tensors of a state dict, C-contiguous.

    Raises:
        WeightsError: not such a file, or its pickle asks for more than tensors.
    """
    return _tensors(_unpickled(data, _Tensors))


def checkpoint(data: bytes) -> dict[str, NDArray[Any]]:
    """Read all tensors of the state dict in a training checkpoint, C-contiguous.

    A checkpoint holds objects of the training program too. None of their classes is imported or called.

    Raises:
        WeightsError: not such a file, or no state dict in it.
    """
    found = _unpickled(data, _CheckpointTensors)
    if not isinstance(found, dict) or "state_dict" not in found:
        raise WeightsError("not a checkpoint: no state_dict in it")
    return _tensors(found["state_dict"])


def _tensors(found: object) -> dict[str, NDArray[Any]]:
    if not isinstance(found, dict) or not all(isinstance(value, np.ndarray) for value in found.values()):
        raise WeightsError("not a dict of tensors")
    return dict(found)


def _unpickled(data: bytes, kind: "type[_Tensors]") -> object:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            (index,) = (name for name in archive.namelist() if name.endswith("/data.pkl"))
            folder = index.removesuffix("data.pkl") + "data/"
            found: object = kind(io.BytesIO(archive.read(index)), lambda key: archive.read(folder + key)).load()
    except WeightsError:
        raise
    except Exception as error:  # a broken pickle raises whatever it likes
        raise WeightsError(f"not a state dict: {error}") from error
    return found


class _Tensors(pickle.Unpickler):
    """Unpickles tensors of known storages, and refuses every other name."""

    def __init__(self, file: io.BytesIO, storage: Callable[[str], bytes]) -> None:
        super().__init__(file)
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        raise WeightsError(f"the pickle asks for {module}.{name}, which no state dict needs")

    def persistent_load(self, pid: Any) -> NDArray[Any]:
        kind, dtype, key, _device, count = pid
        if kind != "storage":
            raise WeightsError(f"the pickle refers to a {kind!r}, only storages are known")
        return np.frombuffer(self._storage(str(key)), dtype=dtype, count=count)


class _CheckpointTensors(_Tensors):
    """Unpickles tensors of known storages, and empty objects for every other name."""

    def find_class(self, module: str, name: str) -> Any:
        try:
            return super().find_class(module, name)
        except WeightsError:
            return _Nothing


class _Nothing:
    """Stands for an object of a foreign class: takes what it is given, and keeps none of it."""

    def __new__(cls, *_given: object) -> Self:
        return super().__new__(cls)

    def __init__(self, *_given: object) -> None:
        pass

    def __setstate__(self, _state: object) -> None:
        pass


def _tensor(
    storage: NDArray[Any], offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_grad: object
) -> NDArray[Any]:
    """Cut one tensor out of its storage, checked against the storage's end."""
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if offset < 0 or min((*shape, *strides), default=0) < 0 or last >= storage.size:
        raise WeightsError("a tensor reaches past its storage")
    view = np.lib.stride_tricks.as_strided(
        storage[offset:], shape, tuple(stride * storage.itemsize for stride in strides), writeable=False
    )
    return np.ascontiguousarray(view)
