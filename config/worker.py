"""Settings of the workshop."""

from datetime import timedelta
from typing import Literal

from pydantic import Field, SecretStr

from config.kinds import Concern, Duration, Secrets


class Worker(Concern):
    """The workshop."""

    concurrency: int = Field(50, ge=1, le=1000, description="Jobs in flight in one process.")
    threads: int = Field(1, ge=1, le=64, description="Recordings measured at one time, one core each.")
    lease: Duration = Field(timedelta(seconds=30), description="A killed worker's jobs run again after this long.")
    answer_deadline: Duration = Field(
        timedelta(minutes=2), description="After so long without a callback the API is asked for the result."
    )
    give_up: Duration = Field(
        timedelta(hours=24), description="A submission without any result is set aside after this long."
    )
    max_attempts: int = Field(6, ge=1, description="Attempts to submit one sample before it is set aside.")
    sweep: Duration = Field(timedelta(seconds=10), description="How often overdue records are looked for.")
    batch_speakers: int = Field(
        500, ge=1, description="Speakers of one batch under way at one time; its other rows wait in the manifest."
    )
    voice_key: SecretStr = Field(
        SecretStr(""),
        description="Key that the voices in the gallery and the prints beside clips are sealed under, 32+ characters; "
        "`voxroll up` makes one. Whoever loses it can't tell voices of before apart any more.",
    )
    former_voice_keys: Secrets = Field(
        (),
        description="Earlier ones, separated by commas: what they sealed can still be opened. "
        "`voxroll worker --reseal` seals everything under the current key; then they can go.",
    )
    same_voice: Literal["warn", "hold", "off"] = Field(
        "warn",
        description="Before a speaker's first sample is submitted, look for one who sounds the same: `warn` by an "
        "event and go on, `hold` the sample for a person, or `off`.",
    )
