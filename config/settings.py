"""All settings of Voxroll: one frozen class per concern, one tree for the processes.

Each leaf is an environment variable: `VOXROLL_` + the concern + the name (`VOXROLL_API_BASE_URL`). The defaults serve
the embedded case. Only `main()` functions call `load()`; everything else is handed the part it needs. Pairs that can't
work together are refused here, at start.
"""

import re
from datetime import timedelta
from pathlib import Path
from typing import Literal, Self

import platformdirs
from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from config.engine import Engine as Engine  # noqa: PLC0414 -- all settings can be imported from here
from config.kinds import MIB, Concern, Folders, Secrets, Words
from config.kinds import Duration as Duration  # noqa: PLC0414 -- likewise
from config.kinds import Quality as Quality  # noqa: PLC0414 -- likewise
from config.worker import Worker as Worker  # noqa: PLC0414 -- likewise

_KEY_CHARS = 32  # 256 bits as hex would be 64; shorter than 32 can be guessed


class SettingsError(Exception):
    """Settings that can't be used; the message names each variable and what is wrong with it."""


class Redis(Concern):
    """Where queue, status store, journal and event stream live."""

    url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"),
        description="Redis or Valkey 7+: redis://, rediss:// or unix://. `voxroll up` sets it to its embedded server.",
    )
    timeout: Duration = Field(timedelta(seconds=5), description="Longest wait for one answer of Redis.")


class Api(Concern):
    """The speaker-enrollment API that samples are submitted to."""

    base_url: str = Field(
        "http://127.0.0.1:8720",
        description="Base URL of the API: the embedded engine, or https://platform.ringcentral.com.",
    )
    client_id: str = Field("voxroll", description="OAuth client id.")
    client_secret: SecretStr = Field(SecretStr(""), description="OAuth client secret.")
    jwt: SecretStr = Field(SecretStr(""), description="JWT credential that is exchanged for access tokens.")
    timeout: Duration = Field(timedelta(seconds=30), description="Longest wait for one answer of the API.")
    callbacks: bool = Field(
        True, description="Ask for the result by callback at webhookUrl (202); off: wait for it in the answer (201)."
    )
    calls: int = Field(
        0,
        ge=0,
        description="Calls that all workers together make per window, or fewer if the API tells of a lower limit; 0: "
        "as many as it tells of. RingCentral's Heavy group: 10.",
    )
    window: Duration = Field(timedelta(seconds=60), description="The sliding window that `calls` counts in.")


class Webhook(Concern):
    """The front door."""

    host: str = Field("127.0.0.1", description="Address the front door listens on.")
    port: int = Field(8710, ge=0, le=65535, description="Port the front door listens on.")
    fd: int | None = Field(None, description="An already listening socket to serve instead; `voxroll up` passes one.")
    url: str = Field(
        "http://127.0.0.1:8710", description="Base of webhookUrl: how the API reaches the front door from outside."
    )
    token_key: SecretStr = Field(
        SecretStr(""),
        description="Key that signs the one-attempt token in webhookUrl, 32+ characters; `voxroll up` makes one.",
    )
    former_token_keys: Secrets = Field(
        (),
        description="Earlier token keys, separated by commas: their tokens are still accepted, new ones are signed by "
        "the current key alone. Keep a key here for the token's lifetime after it was replaced.",
    )
    token_ttl: Duration = Field(timedelta(days=7), description="How long a callback is accepted after its submission.")
    signing_secret: SecretStr = Field(
        SecretStr(""),
        description="Standard Webhooks secret (`whsec_` and base64; several separated by spaces or commas). Where set, "
        "every callback must be signed with one of them.",
    )
    verification_token: SecretStr = Field(
        SecretStr(""), description="Where set, every callback must carry it in the header Verification-Token."
    )
    max_body_bytes: int = Field(65_536, gt=0, description="Largest body of a callback.")
    keys: Literal["auto", "required"] = Field(
        "auto",
        description="Whether the HTTP API asks for keys (`voxroll keys create`): `auto` does unless the front door "
        "listens on loopback alone.",
    )


class Goal(Concern):
    """When a speaker needs no further sample."""

    quality: Quality = Field("High", description="Stop once the enrollment is complete and at least this good.")
    samples: int = Field(
        5, ge=1, le=20, description="At most so many samples of one speaker, each of its own recording."
    )


class Intake(Concern):
    """What recordings are taken in, and from where."""

    max_bytes: int = Field(1024 * MIB, gt=0, description="Largest recording.")
    timeout: Duration = Field(timedelta(seconds=60), description="Longest time to fetch a recording over HTTP.")
    file_roots: Folders = Field(
        None,
        description="Folders that recordings may be named in by path, separated by `:`. "
        "Unset: anywhere while the front door listens on loopback only, nowhere otherwise.",
    )
    allow_private: bool = Field(False, description="Fetch recordings from private and loopback addresses too.")
    buckets: Words = Field(
        (),
        description="Buckets, or folders in them, that recordings may be named in, separated by commas: "
        "s3://calls,gs://archive/2026. Read with the worker's own credentials. Empty: none.",
    )
    scan_limit: Duration = Field(timedelta(minutes=30), description="So much of a recording is searched for speech.")


class Retention(Concern):
    """How long things are kept."""

    journal: Duration = Field(timedelta(days=7), description="Raw callbacks.")
    journal_bytes: int = Field(
        256 * MIB, gt=0, description="Bodies and headers of raw callbacks kept, in bytes; the oldest go first."
    )
    events: int = Field(1_000_000, gt=0, description="Events kept in the stream.")
    jobs: Duration = Field(timedelta(days=7), description="The engine's job results (the contract says 7 days).")
    batches: Duration = Field(
        timedelta(days=90),
        description="Batches that have ended, or rest, after their last change: manifests, problems and counters.",
    )


class Endpoints(Concern):
    """Where events are posted to."""

    allow_private: bool = Field(False, description="Post events to private and loopback addresses too.")


class Log(Concern):
    """What the processes write to standard error."""

    format: Literal["auto", "json", "pretty"] = Field("auto", description="`auto`: pretty on a terminal, else JSON.")
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severe level written.")


class Objects(Concern):
    """Where clips and uploads live."""

    url: str = Field(
        "", description="Object store: file://, s3://, gs:// or az:// URL. Empty: the folder `objects` in the data dir."
    )


class Settings(BaseSettings):
    """The whole tree. Frozen; unknown names in code are refused."""

    model_config = SettingsConfigDict(
        env_prefix="VOXROLL_", env_nested_delimiter="_", env_nested_max_split=1, frozen=True, extra="forbid"
    )

    account: str = Field("default", pattern=r"^[a-zA-Z0-9_-]{1,64}$", description="Account; all keys live under it.")
    data_dir: Path = Field(
        Path(platformdirs.user_data_dir("voxroll")), description="Embedded database, clips, uploads and secrets."
    )
    cache_dir: Path = Field(Path(platformdirs.user_cache_dir("voxroll")), description="Models and demo voices.")
    profile: Literal["2022", "2024"] = Field(
        "2022", description="Generation of the contract: duration rules, id spelling, callback style."
    )
    url: str = Field("", description="Front door that the command line talks to. Empty: the one `voxroll up` started.")
    key: SecretStr = Field(SecretStr(""), description="API key that the command line and `voxroll.Client` show there.")
    redis: Redis = Redis()
    api: Api = Api()
    webhook: Webhook = Webhook()
    engine: Engine = Engine()
    goal: Goal = Goal()
    intake: Intake = Intake()
    worker: Worker = Worker()
    retention: Retention = Retention()
    endpoints: Endpoints = Endpoints()
    objects: Objects = Objects()
    log: Log = Log()

    @model_validator(mode="after")
    def _refuse_impossible_pairs(self) -> Self:
        if self.worker.give_up <= self.worker.answer_deadline:
            raise ValueError("VOXROLL_WORKER_GIVE_UP must be longer than VOXROLL_WORKER_ANSWER_DEADLINE")
        if self.webhook.token_ttl < self.worker.give_up:
            raise ValueError(
                "VOXROLL_WEBHOOK_TOKEN_TTL must cover VOXROLL_WORKER_GIVE_UP: late callbacks would be refused"
            )
        keys = [("WEBHOOK_TOKEN_KEY", self.webhook.token_key), ("ENGINE_TOKEN_KEY", self.engine.token_key)]
        keys += [("WEBHOOK_FORMER_TOKEN_KEYS", key) for key in self.webhook.former_token_keys]
        keys += [("ENGINE_VOICE_KEY", self.engine.voice_key)]
        keys += [("ENGINE_FORMER_VOICE_KEYS", key) for key in self.engine.former_voice_keys]
        keys += [("WORKER_VOICE_KEY", self.worker.voice_key)]
        keys += [("WORKER_FORMER_VOICE_KEYS", key) for key in self.worker.former_voice_keys]
        for bucket in self.intake.buckets:
            if not re.fullmatch(r"(?:s3|gs|az)://[A-Za-z0-9][A-Za-z0-9._-]+(?:/.*)?", bucket):
                raise ValueError(f"VOXROLL_INTAKE_BUCKETS: {bucket[:80]!r} is no s3://, gs:// or az:// address")
        for name, key in keys:
            if 0 < len(key.get_secret_value()) < _KEY_CHARS:
                raise ValueError(f"VOXROLL_{name}: a key has fewer than {_KEY_CHARS} characters")
        return self


def load() -> Settings:
    """Read the settings from the environment.

    Raises:
        SettingsError: a variable has a value that can't be used.
    """
    try:
        return Settings()
    except ValidationError as error:
        lines = [f"{_variable(part['loc'])}: {part['msg']}" for part in error.errors(include_input=False)]
        raise SettingsError("\n".join(lines)) from error


def _variable(loc: tuple[int | str, ...]) -> str:
    return "_".join(["VOXROLL", *(str(part).upper() for part in loc if isinstance(part, str))]) if loc else "settings"
