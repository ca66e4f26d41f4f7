"""Speech in the formats that archives hold, written by FFmpeg."""

import io

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
}


def encoded(kind: str, samples: NDArray[np.float32]) -> bytes:
    container, codec, rate, layout = FORMATS[kind]
    frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
    frame.sample_rate = 16000
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate)
        assert isinstance(stream, av.AudioStream)
        stream.layout = layout
        size = stream.codec_context.frame_size or 1024
        resampler = av.AudioResampler(stream.format.name, layout, rate, frame_size=size)
        for ready in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(ready))
        out.mux(stream.encode(None))
    return buffer.getvalue()
