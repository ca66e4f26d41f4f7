"""Speech in the formats that archives hold, written by FFmpeg."""

import io
import struct

import av
import numpy as np
from numpy.typing import NDArray

FORMATS = {  # container, codec, rate, layout
    "mp3": ("mp3", "mp3", 44100, "stereo"),
    "mp3 phone": ("mp3", "mp3", 8000, "mono"),
    "m4a": ("mp4", "aac", 48000, "mono"),
    "aac": ("adts", "aac", 44100, "mono"),
    "opus": ("ogg", "libopus", 48000, "mono"),
    "webm": ("webm", "libopus", 48000, "mono"),
    "flac 96 kHz": ("flac", "flac", 96000, "mono"),
    "wav a-law": ("wav", "pcm_alaw", 8000, "mono"),
    "wav mu-law": ("wav", "pcm_mulaw", 8000, "stereo"),
    "wav Microsoft ADPCM": ("wav", "adpcm_ms", 8000, "mono"),
    "wav IMA ADPCM": ("wav", "adpcm_ima_wav", 16000, "mono"),
    "wav 8 channels": ("wav", "pcm_s16le", 48000, "7.1"),
    "amr": ("amr", "libopencore_amrnb", 8000, "mono"),
    "avi": ("avi", "mp3", 44100, "stereo"),
    "wav 24 bit": ("wav", "pcm_s24le", 44100, "stereo"),
    "wav 8 bit": ("wav", "pcm_u8", 16000, "mono"),
    "wav float": ("wav", "pcm_f32le", 16000, "mono"),
    "aiff": ("aiff", "pcm_s16be", 22050, "mono"),
    "wma": ("asf", "wmav2", 44100, "stereo"),
    "3gp": ("3gp", "libopencore_amrnb", 8000, "mono"),
    "m4a alac": ("mp4", "alac", 44100, "stereo"),
    "matroska": ("matroska", "pcm_s16le", 16000, "mono"),
    "caf": ("caf", "pcm_s16le", 32000, "mono"),
    "w64": ("w64", "pcm_s16le", 16000, "mono"),
    "au": ("au", "pcm_mulaw", 8000, "mono"),
}
HEADERLESS = {"g722": ("g722", "g722", 16000, "mono")}
_GSM_BITS = (6, 6, 5, 5, 4, 4, 3, 3) + 4 * (7, 2, 2, 6, *13 * (3,))  # GSM 06.10, table 1.1: 260 in a frame of 20 ms
_GSM_BYTES = 33  # of a frame in a file: four bits of signature, then the parameters, the most significant bit first


def encoded(kind: str, samples: NDArray[np.float32]) -> bytes:
    container, codec, rate, layout = (FORMATS | HEADERLESS)[kind]
    frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
    frame.sample_rate = 16000
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate)
        assert isinstance(stream, av.AudioStream)
        stream.layout = layout
        if container == "asf":
            stream.bit_rate = 128_000  # it has no usual one
        size = stream.codec_context.frame_size or 1024
        resampler = av.AudioResampler(stream.format.name, layout, rate, frame_size=size)
        for ready in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(ready))
        out.mux(stream.encode(None))
    return buffer.getvalue()


def gsm(frames: int) -> bytes:
    """Raw GSM 06.10 of any sound: whatever bits follow its signature are a frame."""
    rng = np.random.default_rng(frames)
    whole = rng.integers(0, 256, (frames, _GSM_BYTES), np.uint8)
    whole[:, 0] = 0xD0 | whole[:, 0] & 0x0F
    return whole.tobytes()


def gsm_wav(raw: bytes) -> bytes:
    """Raw GSM 06.10 as a WAV file of tag 0x31, as Microsoft packs it: two frames in 65 bytes, the least bit first.

    FFmpeg only decodes it. A last odd frame is left off.
    """
    frames = [raw[at : at + _GSM_BYTES] for at in range(0, len(raw) // (2 * _GSM_BYTES) * 2 * _GSM_BYTES, _GSM_BYTES)]
    blocks = [_two_frames(*frames[at : at + 2]) for at in range(0, len(frames), 2)]
    data = b"".join(blocks)
    head = struct.pack("<HHIIHHHH", 0x31, 1, 8000, 1625, 65, 0, 2, 320)
    chunks = [(b"fmt ", head), (b"fact", struct.pack("<I", 320 * len(blocks))), (b"data", data + bytes(len(data) % 2))]
    sizes = {b"data": len(data)}
    body = b"WAVE" + b"".join(
        name + struct.pack("<I", sizes.get(name, len(content))) + content for name, content in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _two_frames(first: bytes, second: bytes) -> bytes:
    packed = at = 0
    for frame in (first, second):
        left = 8 * _GSM_BYTES - 4
        value = int.from_bytes(frame, "big")
        for size in _GSM_BITS:
            left -= size
            packed |= (value >> left & (1 << size) - 1) << at
            at += size
    return packed.to_bytes(65, "little")
