"""Settings of the embedded engine, which is a process of its own."""

from datetime import timedelta
from typing import Literal

from pydantic import Field, SecretStr

from config.kinds import MIB, Concern, Duration, Secrets


class Engine(Concern):
    """The embedded enrollment service."""

    host: str = Field("127.0.0.1", description="Address the engine listens on.")
    port: int = Field(8720, ge=0, le=65535, description="Port the engine listens on.")
    fd: int | None = Field(None, description="An already listening socket to serve instead; `voxroll up` passes one.")
    client_secret: SecretStr = Field(
        SecretStr(""), description="Secret that clients of the engine show; `voxroll up` makes one."
    )
    token_key: SecretStr = Field(
        SecretStr(""),
        description="Key that signs the engine's credentials and tokens, 32+ characters; `voxroll up` makes one.",
    )
    voice_key: SecretStr = Field(
        SecretStr(""),
        description="Key that the voiceprints in Redis are sealed under, 32+ characters; `voxroll up` makes one. "
        "Whoever loses it has to enroll everybody anew.",
    )
    former_voice_keys: Secrets = Field(
        (),
        description="Earlier voice keys, separated by commas: what they sealed can still be opened. "
        "`voxroll engine --reseal` seals everything under the current key; then they can go.",
    )
    signing_secret: SecretStr = Field(
        SecretStr(""),
        description="Standard Webhooks secret, as in VOXROLL_WEBHOOK_SIGNING_SECRET, that callbacks are signed with; "
        "of several, with each. `voxroll up` passes the front door's.",
    )
    verification_token: SecretStr = Field(
        SecretStr(""),
        description="Sent with every callback in the header Verification-Token. `voxroll up` passes the front door's.",
    )
    threads: int = Field(1, ge=1, le=64, description="Samples the engine works on at one time, one core each.")
    model: str = Field("campplus", description="Name of the speaker-embedding model in the cache directory.")
    max_body_bytes: int = Field(16 * MIB, gt=0, description="Largest body of a request.")
    role: Literal["all", "api", "work"] = Field(
        "all",
        description="What this process does: `api` takes requests and loads no model, `work` works off jobs and "
        "listens nowhere, `all` does both. All of them share Redis and the data directory.",
    )
    workers: int = Field(
        0,
        ge=0,
        le=64,
        description="Processes that `voxroll up` starts to work off jobs; the engine then only takes requests. 0: one "
        "process does both.",
    )
    wait: Duration = Field(
        timedelta(seconds=60),
        description="Longest wait of a request without webhook for its result; then it is answered 503, and the work "
        "goes on.",
    )
    lease: Duration = Field(timedelta(seconds=10), description="A killed engine's jobs run again after this long.")
    forget_within: Duration = Field(
        timedelta(hours=1),
        description="After a voice is erased Redis rewrites its append-only file within this time, so that the file "
        "holds nothing of it. 0: never, for a Redis that others look after.",
    )
    media_max_bytes: int = Field(256 * MIB, gt=0, description="Largest recording fetched from a contentUri.")
    media_timeout: Duration = Field(
        timedelta(seconds=60), le=timedelta(minutes=10), description="Longest time to fetch a contentUri."
    )
    media_allow_private: bool = Field(
        False, description="Fetch a contentUri from private, link-local and loopback addresses too."
    )
    calls: int = Field(
        0, ge=0, description="Calls that one client may make in a window, to try clients with; 0: no limit."
    )
    window: Duration = Field(timedelta(seconds=60), description="The sliding window that these calls count in.")
    penalty: Duration = Field(
        timedelta(seconds=60), description="After one call too many all are refused for this long; each starts it anew."
    )
    strict: bool = Field(
        False, description="Answer with the profile's own id alone: enrollmentId in 2022, speakerId in 2024; off: both."
    )
    faults: str = Field(
        "", description="Ways to behave badly, for tests: `flaky,slow=2,dropping=0.2`; see `voxroll engine --help`."
    )
    faults_seed: int = Field(0, description="Decides which calls and callbacks the faults hit.")
