"""Asks the engine who speaks in a recording: a token by the JWT grant, then `speaker-identify`, as any client would."""

import base64
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aiohttp

from config.settings import Api
from voxroll.failure import CommandError

_NOBODY = "UserNotIdentified"
_TIMEOUT = aiohttp.ClientTimeout(total=120)
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class Recognised:
    """Who speaks in a recording, by the share of its windows; an empty id where it is nobody of the candidates."""

    speaker_id: str
    share: float
    confidence: float


class Asker:
    """Holds a token of the engine; use it as `async with Asker(api) as ask`."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT)

    async def __aenter__(self) -> Self:
        form = {"grant_type": _GRANT, "assertion": self._api.jwt.get_secret_value()}
        basic = aiohttp.encode_basic_auth(self._api.client_id, self._api.client_secret.get_secret_value())
        body = await self._post("/restapi/oauth/token", data=form, headers={"Authorization": basic})
        self._bearer = {"Authorization": f"Bearer {body['access_token']}"}
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def who(self, recording: Path, candidates: Sequence[str]) -> Recognised:
        """Who of the candidates speaks in most of a recording."""
        content = base64.b64encode(recording.read_bytes()).decode()  # noqa: ASYNC240  (half a second of disk at most)
        request = {"content": content, "encoding": "Wav", "languageCode": "en-US", "speakerIds": list(candidates)}
        body = await self._post("/ai/audio/v1/speaker-identify", json=request, headers=self._bearer)
        return verdict(body["utterances"])

    async def _post(self, path: str, **request: Any) -> dict[str, Any]:
        async with self._session.post(self._api.base_url.rstrip("/") + path, **request) as answer:
            body = await answer.json(content_type=None)
            if not answer.ok:
                raise CommandError("engine_refused", f"{path} answered {answer.status}: {str(body)[:300]}")
            return dict(body)


def verdict(utterances: Sequence[dict[str, Any]]) -> Recognised:
    """The speaker with the most seconds of all utterances."""
    heard: Counter[str] = Counter()
    best: dict[str, float] = {}
    for one in utterances:
        speaker_id = str(one["speakerId"])
        heard[speaker_id] += one["end"] - one["start"]
        best[speaker_id] = max(best.get(speaker_id, 0.0), float(one.get("confidence", 0.0)))
    if not heard:
        return Recognised("", 0.0, 0.0)
    (speaker_id, seconds), *_ = heard.most_common()
    share = seconds / sum(heard.values())
    return Recognised("" if speaker_id == _NOBODY else speaker_id, share, best[speaker_id])
