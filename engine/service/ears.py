"""The models, the threads that they compute on, and the decoders, which are processes of their own.

Everything that costs processor time is done here, so that the event loop stays free to answer: samples and whatever a
client waits for on `threads` threads, the recordings of jobs on one more, since one of an hour must not hold up
enrollments. How much is under way at one time is decided by the lanes.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import structlog

from engine.service.diarize import diarized
from engine.service.enrollment import Model
from engine.service.failure import ApiError, DecoderLostError, NotReadyError
from engine.service.identify import Utterance, utterances
from engine.service.listen import NOW_S, RECORDING_S, whole
from engine.service.orders import Diarize
from engine.voice import model
from engine.voice.apart import DecoderError, Decoders
from engine.voice.failure import VoiceFailure
from engine.voice.preflight import Rules, inspect
from engine.voice.recent import Recent
from engine.voice.recording import Recording
from engine.voice.voice import Voice
from engine.voice.voiceprint import SamplePrint

_SAMPLE_LIMIT_S = 300.0  # ten times the longest sample: enough to say how much too long a recording is
_SAMPLE_DECODED_S = 10.0  # less than a run of the desk may take: the sample is refused, and not run again
_HEARD_MOST = 256  # prints of 2 KB: a sample that is sent again, or whose run was cut off, is not measured anew

_log = structlog.get_logger()
_T = TypeVar("_T")


class Ears:
    """The loaded voice library behind an executor.

    Args:
        threads: samples worked on at one time.
        model: name of the embedding model.
        rules: what a sample must keep to.
        decoders: what audio is decoded by; closed with this.
        voice: the models where they are in memory already; else `load` brings them.
    """

    def __init__(
        self, *, threads: int, model: str, rules: Rules, decoders: Decoders, voice: Voice | None = None
    ) -> None:
        self._rules = rules
        self._decoders = decoders
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="voice")
        self._recordings = ThreadPoolExecutor(1, thread_name_prefix="recording")
        self._heard: Recent[str, SamplePrint] = Recent(_HEARD_MOST)
        self._voice = voice
        self.model = Model(model)  # with its ids once it is loaded
        self.loaded = asyncio.Event()  # the models are there

    async def load(self, cache_dir: Path) -> None:
        """Bring the models into memory; on first use they are fetched and converted, which takes a while.

        Raises:
            ModelError: they can't be had.
        """
        name = self.model.name

        def progress(text: str) -> None:
            _log.info("model.progressed", model=name, step=text)

        def work() -> Voice:
            return Voice.load(model.ensure(cache_dir, name=name, progress=progress))

        if self._voice is None:
            self._voice = await asyncio.get_running_loop().run_in_executor(self._pool, work)
        self.model = Model(name, self._voice.manifest.ids)
        self.loaded.set()
        _log.info("model.loaded", model=name)

    async def hear(self, audio: Path, *, sha256: str) -> SamplePrint:
        """Measure one sample and take its print.

        Args:
            audio: the sample's file.
            sha256: hex digest of what is in it; what was heard lately isn't measured anew.

        Raises:
            ApiError: 400 where the sample will not do, 503 where nobody can listen now.
        """

        def work(voice: Voice) -> SamplePrint:
            return self._heard.get(sha256, lambda: inspect(voice, self._sample(audio), self._rules)[1])

        return await self._compute(work, self._pool)

    def _sample(self, audio: Path) -> Recording:
        return self._decoders.decode(audio, limit_s=_SAMPLE_LIMIT_S, longest_s=_SAMPLE_DECODED_S)

    async def identify(
        self, audio: Path, known: Mapping[str, Sequence[SamplePrint]], *, is_job: bool
    ) -> list[Utterance]:
        """Find out which of the known speakers speaks when.

        Raises:
            ApiError: 400 where the audio will not do, 503 where nobody can listen now.
        """

        def work(voice: Voice) -> list[Utterance]:
            recording = whole(self._decoders, audio, limit_s=RECORDING_S if is_job else NOW_S)
            return utterances(voice, recording, known)

        return await self._compute(work, self._recordings if is_job else self._pool)

    async def diarize(self, audio: Path, task: Diarize, known: Mapping[str, Sequence[SamplePrint]]) -> dict[str, Any]:
        """Find out who speaks when: DiarizedObject of the contract.

        Raises:
            ApiError: 400 where the audio will not do, 503 where nobody can listen now.
        """

        def read(channel: int | None) -> Recording:
            return whole(self._decoders, audio, limit_s=RECORDING_S, channel=channel)

        return await self._compute(lambda voice: diarized(voice, read, task, known), self._recordings)

    async def _compute(self, work: Callable[[Voice], _T], pool: ThreadPoolExecutor) -> _T:
        if self._voice is None:
            raise NotReadyError("the models are being loaded")
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, work, self._voice)
        except VoiceFailure as failure:
            raise ApiError(400, failure.code, failure.message, parameter="content") from failure
        except DecoderError as error:
            raise DecoderLostError(str(error)) from error

    def close(self) -> None:
        """Let running work end, drop what waits."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._recordings.shutdown(wait=False, cancel_futures=True)
        self._decoders.close()
