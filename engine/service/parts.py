"""The parts of an engine, made from settings in one place and handed to the handlers as one value."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from aiohttp import web
from redis.asyncio import Redis

from config.settings import Engine, Settings, SettingsError
from engine.download import Limits
from engine.service import callbacks as calling
from engine.service import keys, media, store
from engine.service.answers import Answers
from engine.service.bell import Bell
from engine.service.callbacks import Callbacks
from engine.service.crew import Crew
from engine.service.desk import RECORDING, SAMPLE, Desk
from engine.service.ears import Ears
from engine.service.enroll import Enroller
from engine.service.enrollment import ID_NAMES
from engine.service.faults import Faults, Mode
from engine.service.forgetting import Forgetting
from engine.service.jobs import DELIVER, FETCH, RUN, Jobs
from engine.service.lanes import Lane
from engine.service.limits import RINGCENTRALS, Limiter
from engine.service.media import Media
from engine.service.proof import Proof
from engine.service.recognise import Recogniser
from engine.service.seal import Seal
from engine.service.sessions import Sessions
from engine.service.spool import Spool
from engine.service.tokens import Tokens
from engine.service.vault import Vault
from engine.voice.apart import Decoders
from engine.voice.preflight import Rules
from engine.voice.voice import Voice


@dataclass(slots=True)
class Fate:
    """Whether the engine can go on; `reason` is why not, once `broken` is set."""

    broken: asyncio.Event = field(default_factory=asyncio.Event)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Parts:
    """What an engine is made of.

    Attributes:
        hearing: the lanes that need the models.
        waiting: the lanes that wait for others.
    """

    settings: Settings
    redis: Redis
    seal: Seal
    vault: Vault
    ears: Ears
    enroller: Enroller
    recogniser: Recogniser
    jobs: Jobs
    spool: Spool
    desk: Desk
    bell: Bell
    crew: Crew
    forgetting: Forgetting
    answers: Answers
    callbacks: Callbacks
    hearing: tuple[Lane, ...]
    waiting: tuple[Lane, ...]
    tokens: Tokens
    faults: Faults | None
    limiter: Limiter | None
    fate: Fate


PARTS: web.AppKey[Parts] = web.AppKey("parts", Parts)


def assemble(
    settings: Settings,
    *,
    callback_delays_s: Sequence[float],
    fetch_delays_s: Sequence[float],
    voice: Voice | None = None,
) -> Parts:
    """Make the parts; nothing is connected or loaded yet, but for the models if they are handed in.

    Raises:
        SettingsError: a secret is missing or can't be used, or a fault is unknown.
    """
    redis = Redis(connection_pool=store.pool(settings.redis))
    tokens = Tokens(
        key=_secret("TOKEN_KEY", settings.engine.token_key.get_secret_value()),
        client_secret=_secret("CLIENT_SECRET", settings.engine.client_secret.get_secret_value()),
        account=settings.account,
        sessions=Sessions(redis, account=settings.account),
    )
    seal = seal_of(settings)
    vault = Vault(redis, seal, account=settings.account)
    rules = Rules.for_profile(settings.profile)
    engine = settings.engine
    ears = Ears(threads=engine.threads, model=engine.model, rules=rules, decoders=Decoders(), voice=voice)
    enroller = Enroller(vault, ears, id_names=_id_names(settings))
    recogniser = Recogniser(vault, ears)
    jobs = Jobs(redis, account=settings.account, kept=settings.retention.jobs)
    spool = Spool(settings.data_dir / "engine" / "jobs")
    desk = Desk(jobs, spool, enroller, recogniser)
    bell = Bell(redis, account=settings.account)
    crew = Crew(redis, account=settings.account, threads=settings.engine.threads)
    fetching = Media(jobs, spool, _media_limits(settings.engine), delays_s=fetch_delays_s)
    faults = Faults.parse(settings.engine.faults, seed=settings.engine.faults_seed)
    callbacks = Callbacks(
        jobs,
        bare=settings.profile == "2022",
        proof=Proof.of(settings.engine),
        delays_s=callback_delays_s,
        faults=faults,
    )
    return Parts(
        settings=settings,
        redis=redis,
        seal=seal,
        vault=vault,
        ears=ears,
        enroller=enroller,
        recogniser=recogniser,
        jobs=jobs,
        spool=spool,
        desk=desk,
        bell=bell,
        crew=crew,
        forgetting=Forgetting(redis, account=settings.account, within=settings.engine.forget_within),
        answers=Answers(jobs, spool, bell=bell, crew=crew, wait_s=settings.engine.wait.total_seconds()),
        callbacks=callbacks,
        hearing=_hearing(settings, desk, bell),
        waiting=_waiting(settings, fetching, callbacks, bell),
        tokens=tokens,
        faults=faults,
        limiter=_limiter(settings.engine, faults),
        fate=Fate(),
    )


def seal_of(settings: Settings) -> Seal:
    """What seals voiceprints under the keys of the settings.

    Raises:
        SettingsError: there is no key.
    """
    key = _secret("VOICE_KEY", settings.engine.voice_key.get_secret_value())
    former = [key.get_secret_value() for key in settings.engine.former_voice_keys]
    return Seal(key, former=former, account=settings.account)


def _hearing(settings: Settings, desk: Desk, bell: Bell) -> tuple[Lane, ...]:
    """One sample more than there are threads, so that the next is read while others compute."""
    account, lane, most = settings.account, _lane(settings, bell), settings.engine.threads + 1
    return (
        lane(queue_name=keys.awaited(account), function=RUN, work=desk.work, work_s=RECORDING.run_s, max_jobs=most),
        lane(queue_name=keys.samples(account), function=RUN, work=desk.work, work_s=SAMPLE.run_s, max_jobs=most),
        lane(queue_name=keys.recordings(account), function=RUN, work=desk.work, work_s=RECORDING.run_s, max_jobs=1),
    )


def _waiting(settings: Settings, fetching: Media, callbacks: Callbacks, bell: Bell) -> tuple[Lane, ...]:
    account, lane = settings.account, _lane(settings, bell)
    return (
        lane(
            queue_name=keys.fetches(account),
            function=FETCH,
            work=fetching.fetch,
            work_s=settings.engine.media_timeout.total_seconds(),
            max_jobs=media.AT_ONCE,
        ),
        lane(
            queue_name=keys.callbacks(account),
            function=DELIVER,
            work=callbacks.deliver,
            work_s=calling.RUN_S,
            max_jobs=calling.AT_ONCE,
        ),
    )


def _lane(settings: Settings, bell: Bell) -> partial[Lane]:
    return partial(Lane, make_pool=partial(store.pool, settings.redis), lease=settings.engine.lease, bell=bell)


def _media_limits(engine: Engine) -> Limits:
    return Limits(
        max_bytes=engine.media_max_bytes,
        seconds=engine.media_timeout.total_seconds(),
        allow_private=engine.media_allow_private,
        redirects=media.REDIRECTS,
        settings="VOXROLL_ENGINE_MEDIA",
    )


def _id_names(settings: Settings) -> Sequence[str]:
    """Both, unless only the profile's own is wanted."""
    if not settings.engine.strict:
        return ID_NAMES
    return ("enrollmentId",) if settings.profile == "2022" else ("speakerId",)


def _limiter(engine: Engine, faults: Faults | None) -> Limiter | None:
    """The limit that is set; a penalising provider has RingCentral's."""
    is_penalising = faults is not None and Mode.PENALISING in faults.modes
    calls = engine.calls or (RINGCENTRALS if is_penalising else 0)
    return Limiter(calls=calls, window=engine.window, penalty=engine.penalty) if calls else None


def _secret(name: str, value: str) -> str:
    if not value:
        raise SettingsError(
            f"VOXROLL_ENGINE_{name}: not set; set it to 32 or more random characters "
            '(`python -c "import secrets; print(secrets.token_hex(32))"`), or use `voxroll up`, which makes one'
        )
    return value
