"""The secrets of one embedded installation, and the environment that its processes are given.

Made once by `up`, kept in `secrets.json` in the data directory (mode 0600). They must outlive restarts: callback tokens
and engine tokens signed before a crash are checked after it.
"""

import os
import secrets as random
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from config.settings import Settings
from voxroll.failure import CommandError
from voxroll.up.note import Running

_NAME = "secrets.json"
_BYTES = 32


class Secrets(BaseModel):
    """Keys made by chance, 256 bits each."""

    model_config = ConfigDict(frozen=True)

    engine_client_secret: str = Field(default_factory=lambda: random.token_urlsafe(_BYTES), min_length=32)
    engine_token_key: str = Field(default_factory=lambda: random.token_urlsafe(_BYTES), min_length=32)
    engine_voice_key: str = Field(default_factory=lambda: random.token_urlsafe(_BYTES), min_length=32)
    worker_voice_key: str = Field(default_factory=lambda: random.token_urlsafe(_BYTES), min_length=32)
    webhook_token_key: str = Field(default_factory=lambda: random.token_urlsafe(_BYTES), min_length=32)

    @classmethod
    def read(cls, data_dir: Path) -> Self:
        """Read those of a data directory; OSError where there are none."""
        return cls.model_validate_json((data_dir / _NAME).read_bytes())

    @classmethod
    def ensure(cls, data_dir: Path) -> Self:
        """Read those of a data directory, make those that are missing, and keep them.

        Raises:
            CommandError: `bad_secrets`, when the file is there but can't be used: new keys would lock out callbacks
                and tokens under way and lose all voiceprints, so that is left to the user.
        """
        path = data_dir / _NAME
        try:
            made = cls.read(data_dir)
        except FileNotFoundError:
            made = cls()
        except (OSError, ValidationError) as error:
            message = f"{path} can't be used; restore it, or delete it to have new keys made"
            raise CommandError("bad_secrets", message) from error
        if made.model_fields_set == set(cls.model_fields):
            return made  # nothing was made by chance just now
        temporary = path.with_suffix(".new")
        temporary.unlink(missing_ok=True)
        temporary.touch(mode=0o600)
        temporary.write_text(made.model_dump_json(indent=2) + "\n")
        temporary.replace(path)
        return made


def environment(secrets: Secrets, settings: Settings, running: Running) -> dict[str, str]:
    """The variables that make engine, front door and worker fit together.

    Args:
        secrets: the keys of this data directory.
        settings: what the user set; only account, directories and what the front door asks callbacks for count.
        running: the URLs. Where the API is another's, its credentials are the user's affair.
    """
    made = {
        "VOXROLL_ACCOUNT": settings.account,
        "VOXROLL_DATA_DIR": str(settings.data_dir.absolute()),
        "VOXROLL_CACHE_DIR": str(settings.cache_dir.absolute()),
        "VOXROLL_URL": running.url,
        "VOXROLL_REDIS_URL": running.redis_url,
        "VOXROLL_WEBHOOK_URL": running.url,
        "VOXROLL_WEBHOOK_TOKEN_KEY": secrets.webhook_token_key,
        "VOXROLL_WORKER_VOICE_KEY": secrets.worker_voice_key,
    }
    if not running.own_engine:
        return made
    client_secret = os.environ.get("VOXROLL_ENGINE_CLIENT_SECRET") or secrets.engine_client_secret
    token_key = os.environ.get("VOXROLL_ENGINE_TOKEN_KEY") or secrets.engine_token_key
    return made | {
        "VOXROLL_ENGINE_CLIENT_SECRET": client_secret,
        "VOXROLL_ENGINE_TOKEN_KEY": token_key,
        "VOXROLL_ENGINE_VOICE_KEY": secrets.engine_voice_key,
        "VOXROLL_ENGINE_SIGNING_SECRET": settings.webhook.signing_secret.get_secret_value(),
        "VOXROLL_ENGINE_VERIFICATION_TOKEN": settings.webhook.verification_token.get_secret_value(),
        "VOXROLL_API_BASE_URL": running.engine_url,
        "VOXROLL_API_CLIENT_SECRET": client_secret,
        "VOXROLL_API_JWT": credential(token_key, account=settings.account),
    }


def credential(token_key: str, *, account: str) -> str:
    """The JWT that the engine exchanges for access tokens: it never expires, as it never leaves this machine."""
    import jwt  # noqa: PLC0415  (with cryptography a tenth of what a command costs; few need it)

    return jwt.encode({"iss": "voxroll", "sub": account}, token_key, algorithm="HS256")


def with_users(made: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a child: the user's variables win where they have a value.

    onnxruntime would write down how it is used and send that to its maker; what happens to voices stays here.
    """
    made = {"ORT_DISABLE_TELEMETRY": "1", **made}
    return {**os.environ, **{name: value for name, value in made.items() if not os.environ.get(name)}}
