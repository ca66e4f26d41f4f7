"""The engine's own OpenAPI document names every route, and schemathesis finds no answer that it doesn't describe."""

import json
from pathlib import Path
from typing import Any

from config.settings import Settings
from engine.service.handlers import ROUTES
from engine.service.operations import OPERATIONS
from tests.support.engine import Rc, running_engine
from tests.support.schemathesis import tried

_CLOSED = "^http://127[.]0[.]0[.]1:9/$"
_EXAMPLES = 12  # of each operation
# Schemas can't say what is no audio, nobody's id or no credential: such data may be refused.
_JUDGED_FURTHER = (
    *("caiEnrollmentsCreate", "caiEnrollmentsUpdate", "syncSpeakerIdentify", "caiSpeakerIdentify"),
    *("getToken", "revokeToken"),
)


def test_every_route_is_described() -> None:
    described = sorted((one.verb, one.path) for one in OPERATIONS)
    assert described == sorted((route.method.lower(), route.path) for route in ROUTES)


async def test_schemathesis_finds_nothing(settings: Settings, tmp_path: Path) -> None:
    async with running_engine(settings) as rc:
        configuration, document = _configuration(rc, settings), await _harmless(rc)
        said = await tried(document, rc.url, configuration=configuration, folder=tmp_path, examples=_EXAMPLES)
    assert not said, said


async def _harmless(rc: Rc) -> dict[str, Any]:
    """The document as it is served, but URLs lead to a closed port of this host: no stranger is called."""
    document: dict[str, Any] = (await rc.call("GET", "/openapi.json")).body
    text = json.dumps(document)
    pattern = document["components"]["schemas"]["EnrollmentInput"]["properties"]["contentUri"]["pattern"]
    found: dict[str, Any] = json.loads(text.replace(json.dumps(pattern), json.dumps(_CLOSED)))
    assert found != document
    return found


def _configuration(rc: Rc, settings: Settings) -> str:
    secret = settings.engine.client_secret.get_secret_value()
    return f"""
[auth.openapi.bearer]
bearer = "{rc.token}"

[auth.openapi.client]
username = "voxroll"
password = "{secret}"

[[operations]]
include-operation-id = {json.dumps(_JUDGED_FURTHER)}
checks.positive_data_acceptance.enabled = false
"""
