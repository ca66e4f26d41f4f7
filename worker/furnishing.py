"""The workshop furnished: everything the steps need, built of settings and taken down in order."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import aiohttp
import structlog
from arq.connections import ArqRedis

from config.settings import Settings
from engine.voice import model
from engine.voice.apart import Decoders
from engine.voice.preflight import Rules
from engine.voice.voice import Voice
from worker.api.client import EnrollmentApi
from worker.fetch import Fetcher
from worker.gallery import Gallery
from worker.measuring import Measuring
from worker.queue.connect import client, close, wait_until_there
from worker.queue.jobs import Queue, queue_name
from worker.seal import VoiceSeal
from worker.store.batches import Batches
from worker.store.journal import Journal
from worker.store.objects import ObjectStore
from worker.store.policy import policy_of
from worker.store.shortlists import Shortlists
from worker.store.status import StatusStore
from worker.store.voices import VoiceStore
from worker.voices import Voices
from worker.workshop import Workshop

_log = structlog.get_logger()


@contextlib.asynccontextmanager
async def opened(settings: Settings, *, voice: Voice | None = None) -> AsyncIterator[tuple[Workshop, ArqRedis]]:
    """The workshop with everything in it, closed at the end; `voice`: the models where they are in memory already."""
    async with contextlib.AsyncExitStack() as stack:
        redis, http = await stack.enter_async_context(connected(settings))
        decoders = stack.enter_context(Decoders())
        threads = stack.enter_context(ThreadPoolExecutor(settings.worker.threads, thread_name_prefix="preflight"))
        loaded = await asyncio.to_thread(_loaded, settings) if voice is None else voice
        yield furnished(settings, redis=redis, http=http, voice=loaded, threads=threads, decoders=decoders), redis


@contextlib.asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[tuple[ArqRedis, aiohttp.ClientSession]]:
    """Redis, which answers, and a session for calls to the API."""
    async with contextlib.AsyncExitStack() as stack:
        redis = client(settings.redis, queue_name=queue_name(settings.account), together=True)
        stack.push_async_callback(close, redis)
        await wait_until_there(redis, settings.redis)
        timeout = aiohttp.ClientTimeout(total=settings.api.timeout.total_seconds(), sock_connect=10)
        http = aiohttp.ClientSession(timeout=timeout, headers={"User-Agent": "Voxroll/0.1"})
        yield redis, await stack.enter_async_context(http)


def _loaded(settings: Settings) -> Voice:
    folder = model.ensure(
        settings.cache_dir, name=settings.engine.model, progress=lambda line: _log.info("model.preparing", step=line)
    )
    return Voice.load(folder)


def furnished(  # noqa: PLR0913  each is one part
    settings: Settings,
    *,
    redis: ArqRedis,
    http: aiohttp.ClientSession,
    voice: Voice,
    threads: ThreadPoolExecutor,
    decoders: Decoders,
) -> Workshop:
    """A workshop of these parts."""
    objects, seal = ObjectStore(settings), VoiceSeal.of(settings)
    gallery = Gallery(VoiceStore(redis, account=settings.account), voice, seal=seal)
    return Workshop(
        settings=settings,
        store=store_of(settings, redis),
        journal=journal_of(settings, redis),
        batches=Batches(redis, account=settings.account, events_kept=settings.retention.events),
        queue=Queue(redis, account=settings.account),
        objects=objects,
        shortlists=Shortlists(redis, account=settings.account),
        api=api_of(settings, redis, http),
        fetcher=Fetcher(objects, intake=settings.intake),
        voice=voice,
        voices=Voices(objects, gallery, seal=seal, voice=voice),
        rules=Rules.for_profile(settings.profile),
        threads=threads,
        measuring=Measuring(threads, places=settings.worker.threads),
        decoders=decoders,
        policy=policy_of(settings),
    )


def store_of(settings: Settings, redis: ArqRedis) -> StatusStore:
    """The records."""
    return StatusStore(
        redis, account=settings.account, policy=policy_of(settings), events_kept=settings.retention.events
    )


def journal_of(settings: Settings, redis: ArqRedis) -> Journal:
    """The callbacks."""
    kept = settings.retention
    return Journal(redis, account=settings.account, keep=kept.journal, most_bytes=kept.journal_bytes)


def api_of(settings: Settings, redis: ArqRedis, http: aiohttp.ClientSession) -> EnrollmentApi:
    """The client of the API."""
    return EnrollmentApi.over(redis, http, account=settings.account, api=settings.api)
