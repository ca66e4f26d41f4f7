"""API keys: who may use the front door, and for what. Only hashes are kept; a key is shown when it is made."""

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from redis.asyncio import Redis

from worker.store import keys
from worker.store.fields import read_fields

_PREFIX = "vxk"
_RANDOM_BYTES = 32  # as strong as the SHA-256 that is kept: no salt, no stretching needed
_PARTS = 3


class Scope(StrEnum):
    """What a key allows."""

    READ = "read"  # speakers, events, batches
    ENROLL = "enroll"  # hand recordings in
    MANAGE = "manage"  # erase, decide, endpoints, callbacks as they came


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """One key, without what is secret of it."""

    key_id: str
    name: str
    scopes: tuple[Scope, ...]
    sha256: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


def made(name: str, scopes: tuple[Scope, ...], *, now: datetime, expires_at: datetime | None) -> tuple[ApiKey, str]:
    """A new key, and the text that is shown once: `vxk_ID_SECRET`."""
    key_id = secrets.token_hex(4)
    shown = f"{_PREFIX}_{key_id}_{secrets.token_urlsafe(_RANDOM_BYTES)}"
    key = ApiKey(key_id=key_id, name=name, scopes=scopes, sha256=hashed(shown), created_at=now, expires_at=expires_at)
    return key, shown


def hashed(shown: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(shown.encode()).hexdigest()


def id_of(shown: str) -> str | None:
    """The id in a key that somebody shows; None where it has none."""
    parts = shown.split("_", _PARTS - 1)
    return parts[1] if len(parts) == _PARTS and parts[0] == _PREFIX else None


class ApiKeys:
    """The keys of one account."""

    def __init__(self, redis: Redis, *, account: str) -> None:
        self._redis = redis
        self._all = keys.api_keys(account)

    async def put(self, key: ApiKey) -> None:
        """Keep a key, new or changed."""
        await self._redis.hset(self._all, key.key_id, json.dumps(asdict(key), default=datetime.isoformat))  # type: ignore[misc]  # typed for both clients

    async def get(self, key_id: str) -> ApiKey | None:
        """One of them."""
        (found,) = await read_fields(self._redis, self._all, key_id)
        return _read(found) if found else None

    async def all(self) -> list[ApiKey]:
        """All of them, the oldest first."""
        found = await self._redis.hgetall(self._all)  # type: ignore[misc]  # typed for both clients
        return sorted(map(_read, found.values()), key=lambda key: (key.created_at, key.key_id))

    async def revoke(self, key_id: str, *, now: datetime) -> ApiKey | None:
        """Let a key open nothing any more; None if there is none."""
        known = await self.get(key_id)
        if known is None or known.revoked_at:
            return known
        await self.put(replace(known, revoked_at=now))
        return replace(known, revoked_at=now)


def _read(blob: bytes) -> ApiKey:
    told: dict[str, Any] = json.loads(blob)
    times = {
        name: datetime.fromisoformat(told[name]) if told[name] else None
        for name in ("created_at", "expires_at", "revoked_at")
    }
    return ApiKey(**{**told, **times, "scopes": tuple(map(Scope, told["scopes"]))})
