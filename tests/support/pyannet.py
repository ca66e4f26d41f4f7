"""PyanNet once more: in plain numpy, as torch runs it, with which the ONNX graph is compared.

Written from the layers' definitions alone; it shares no line with the graph's builder.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Weights = dict[str, NDArray[np.float32]]

_HALF = 125  # of the 251 taps of the first filters


def drawn(seed: int) -> Weights:
    """Weights of the right shapes, drawn so that no layer dies or saturates."""
    random = np.random.default_rng(seed)

    def normal(*shape: int, gain: float = 1) -> NDArray[np.float32]:
        inputs = np.prod(shape[1:]) if len(shape) > 1 else shape[0]
        return np.asarray(random.standard_normal(shape) * gain / np.sqrt(inputs), np.float32)

    edges = np.linspace(30, 7000, 41)[:, None].astype("f4")
    bank = "sincnet.conv1d.0.filterbank"
    found: Weights = {
        f"{bank}.low_hz_": edges[:-1] * random.choice([-1, 1], (40, 1)).astype("f4"),
        f"{bank}.band_hz_": np.abs(normal(40, 1)) * np.float32(400),
        f"{bank}.window_": np.hamming(2 * _HALF + 1)[:_HALF].astype("f4"),
        f"{bank}.n_": (2 * np.pi * np.arange(-_HALF, 0) / 16000)[None].astype("f4"),
    }
    shapes: dict[str, tuple[int, ...]] = {"sincnet.conv1d.1": (60, 80, 5), "sincnet.conv1d.2": (60, 60, 5)}
    shapes |= {"linear.0": (128, 256), "linear.1": (128, 128), "classifier": (7, 128)}
    for name, shape in shapes.items():
        found |= {f"{name}.weight": normal(*shape, gain=2), f"{name}.bias": normal(shape[0])}
    for name, size in (("wav_norm1d", 1), ("norm1d.0", 80), ("norm1d.1", 60), ("norm1d.2", 60)):
        found |= {f"sincnet.{name}.weight": 1 + normal(size), f"sincnet.{name}.bias": normal(size)}
    for layer in range(4):
        for end in (f"l{layer}", f"l{layer}_reverse"):
            found[f"lstm.weight_ih_{end}"] = normal(512, 256 if layer else 60, gain=2)
            found[f"lstm.weight_hh_{end}"] = normal(512, 128)
            found |= {f"lstm.bias_{kind}_{end}": normal(512) for kind in ("ih", "hh")}
    return found


def logp(weights: Weights, wav: NDArray[np.float32]) -> Array:
    """Log-probabilities (frames, 7) of samples (n,)."""
    w = {name: value.astype(float) for name, value in weights.items()}
    x = _norm(w, "wav_norm1d", wav[None].astype(float))
    x = np.abs(_conv(x, _bank(w), step=10))
    for layer in range(3):
        if layer:
            name = f"sincnet.conv1d.{layer}"
            x = _conv(x, w[f"{name}.weight"]) + w[f"{name}.bias"][:, None]
        x = x[:, : x.shape[1] // 3 * 3].reshape(len(x), -1, 3).max(axis=2)
        x = _leaky(_norm(w, f"norm1d.{layer}", x))
    x = x.T
    for layer in range(4):
        x = np.hstack([_lstm(w, f"l{layer}", x), _lstm(w, f"l{layer}_reverse", x[::-1])[::-1]])
    for layer in range(2):
        x = _leaky(x @ w[f"linear.{layer}.weight"].T + w[f"linear.{layer}.bias"])
    x = x @ w["classifier.weight"].T + w["classifier.bias"]
    return np.asarray(x - np.log(np.exp(x).sum(axis=1, keepdims=True)))


def _bank(w: dict[str, Array]) -> Array:
    """Windowed ideal band-passes (80, 1, 251): the difference of two low-passes, and its odd counterpart."""
    time = np.arange(-_HALF, _HALF + 1) / 16000
    low = 50 + np.abs(w["sincnet.conv1d.0.filterbank.low_hz_"])
    high = np.minimum(low + 50 + np.abs(w["sincnet.conv1d.0.filterbank.band_hz_"]), 8000)
    even = 2 * high * np.sinc(2 * high * time) - 2 * low * np.sinc(2 * low * time)
    beside = np.where(time == 0, 1, time)
    odd = np.where(time == 0, 0, (np.cos(2 * np.pi * low * time) - np.cos(2 * np.pi * high * time)) / (np.pi * beside))
    window = np.hamming(2 * _HALF + 1)
    return np.asarray(np.vstack([even, odd]) * window / np.tile(2 * (high - low), (2, 1)))[:, None]


def _conv(x: Array, kernels: Array, *, step: int = 1) -> Array:
    places = np.lib.stride_tricks.sliding_window_view(x, kernels.shape[2], axis=1)[:, ::step]
    return np.asarray(np.tensordot(kernels, places, axes=((1, 2), (0, 2))))


def _norm(w: dict[str, Array], name: str, x: Array) -> Array:
    flat = (x - x.mean(axis=1, keepdims=True)) / np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
    return np.asarray(flat * w[f"sincnet.{name}.weight"][:, None] + w[f"sincnet.{name}.bias"][:, None])


def _lstm(w: dict[str, Array], end: str, x: Array) -> Array:
    bias = w[f"lstm.bias_ih_{end}"] + w[f"lstm.bias_hh_{end}"]
    said, cell, rows = np.zeros(128), np.zeros(128), []
    for given in x @ w[f"lstm.weight_ih_{end}"].T + bias:
        into, forget, new, out = np.split(given + w[f"lstm.weight_hh_{end}"] @ said, 4)
        cell = _sigmoid(forget) * cell + _sigmoid(into) * np.tanh(new)
        said = _sigmoid(out) * np.tanh(cell)
        rows.append(said)
    return np.stack(rows)


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def _leaky(x: Array) -> Array:
    return np.where(x > 0, x, 0.01 * x)
