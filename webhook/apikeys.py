"""`python -m webhook --keys`: make, list and revoke API keys, by whoever can reach Redis; prints JSON.

Not by HTTP: the first key would need a key.
"""

import argparse
import json
import sys
from datetime import datetime, timedelta
from typing import Any

from config.process import EXIT_FAILED, EXIT_OK
from config.settings import Settings
from webhook.room import utc_now
from worker.queue.connect import client, close, wait_until_there
from worker.queue.jobs import queue_name
from worker.store.apikeys import ApiKey, ApiKeys, Scope, made


async def keys(settings: Settings) -> int:
    """Do what the command line says."""
    asked = _asked()
    redis = client(settings.redis, queue_name=queue_name(settings.account))
    try:
        await wait_until_there(redis, settings.redis)
        told = await _done(ApiKeys(redis, account=settings.account), asked, now=utc_now())
    finally:
        await close(redis)
    sys.stdout.write(json.dumps(told, default=str) + "\n")
    return EXIT_OK if told is not None else EXIT_FAILED


async def _done(store: ApiKeys, asked: argparse.Namespace, *, now: datetime) -> Any:
    if asked.create is not None:
        scopes = tuple(map(Scope, asked.scopes.split(",")))
        expires = now + timedelta(seconds=asked.expires_s) if asked.expires_s else None
        key, shown = made(asked.create, scopes, now=now, expires_at=expires)
        await store.put(key)
        return _document(key) | {"key": shown}
    if asked.revoke is not None:
        revoked = await store.revoke(asked.revoke, now=now)
        return _document(revoked) if revoked else None
    return [_document(key) for key in await store.all()]


def _document(key: ApiKey) -> dict[str, Any]:
    return {
        "keyId": key.key_id,
        "name": key.name,
        "scopes": list(key.scopes),
        "createdAt": key.created_at.isoformat(),
        "expiresAt": key.expires_at.isoformat() if key.expires_at else None,
        "revokedAt": key.revoked_at.isoformat() if key.revoked_at else None,
    }


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m webhook --keys")
    parser.add_argument("--keys", action="store_true")
    parser.add_argument("--create", metavar="NAME")
    parser.add_argument("--scopes", default=",".join(Scope))
    parser.add_argument("--expires-s", type=float, default=0.0)
    parser.add_argument("--revoke", metavar="ID")
    return parser.parse_args()
