"""The parts of an engine, made from settings in one place and handed to the handlers as one value."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from aiohttp import web
from redis.asyncio import ConnectionPool, Redis

from config.settings import Engine, Settings, SettingsError
from engine.service import keys, store
from engine.service.callbacks import Callbacks
from engine.service.desk import Desk
from engine.service.ears import Ears
from engine.service.enroll import Enroller
from engine.service.faults import Faults, Mode
from engine.service.jobs import Jobs
from engine.service.lanes import Lane, lane_of_callbacks, lane_of_samples
from engine.service.limits import RINGCENTRALS, Limiter
from engine.service.seal import Seal
from engine.service.spool import Spool
from engine.service.tokens import Tokens
from engine.service.vault import Vault
from engine.voice.preflight import Rules


@dataclass(slots=True)
class Fate:
    """Whether the engine can go on; `reason` is why not, once `broken` is set."""

    broken: asyncio.Event = field(default_factory=asyncio.Event)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Parts:
    """What an engine is made of."""

    settings: Settings
    redis: Redis
    seal: Seal
    vault: Vault
    ears: Ears
    enroller: Enroller
    jobs: Jobs
    spool: Spool
    desk: Desk
    callbacks: Callbacks
    lanes: tuple[Lane, Lane]
    tokens: Tokens
    faults: Faults | None
    limiter: Limiter | None
    fate: Fate


PARTS: web.AppKey[Parts] = web.AppKey("parts", Parts)


def assemble(settings: Settings, *, callback_delays_s: Sequence[float]) -> Parts:
    """Make the parts; nothing is connected or loaded yet.

    Raises:
        SettingsError: a secret is missing, or a fault is unknown.
    """
    tokens = Tokens(
        key=_secret("TOKEN_KEY", settings.engine.token_key.get_secret_value()),
        client_secret=_secret("CLIENT_SECRET", settings.engine.client_secret.get_secret_value()),
        account=settings.account,
    )
    redis = Redis(connection_pool=store.pool(settings.redis))
    seal = seal_of(settings)
    vault = Vault(redis, seal, account=settings.account)
    ears = Ears(threads=settings.engine.threads, rules=Rules.for_profile(settings.profile))
    enroller = Enroller(vault, ears, model=settings.engine.model)
    jobs = Jobs(redis, account=settings.account, kept=settings.retention.jobs)
    spool = Spool(settings.data_dir / "engine" / "jobs")
    desk = Desk(jobs, spool, enroller)
    faults = Faults.parse(settings.engine.faults, seed=settings.engine.faults_seed)
    callbacks = Callbacks(jobs, bare=settings.profile == "2022", delays_s=callback_delays_s, faults=faults)
    return Parts(
        settings=settings,
        redis=redis,
        seal=seal,
        vault=vault,
        ears=ears,
        enroller=enroller,
        jobs=jobs,
        spool=spool,
        desk=desk,
        callbacks=callbacks,
        lanes=_lanes(settings, desk, callbacks),
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


def _lanes(settings: Settings, desk: Desk, callbacks: Callbacks) -> tuple[Lane, Lane]:
    def make_pool() -> ConnectionPool:
        return store.pool(settings.redis)

    engine = settings.engine
    return (
        lane_of_samples(
            desk,
            queue_name=keys.queue(settings.account),
            make_pool=make_pool,
            threads=engine.threads,
            lease=engine.lease,
        ),
        lane_of_callbacks(
            callbacks, queue_name=keys.callbacks(settings.account), make_pool=make_pool, lease=engine.lease
        ),
    )


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
