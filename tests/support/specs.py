"""Published specifications as data, and a check of JSON against their schemas: types, required, enum, combinations."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

_FOLDER = Path(__file__).resolve().parents[2].parent / "shared" / "contract-specs"
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
}


@cache
def spec(name: str) -> dict[str, Any]:
    """One specification; the calling test is skipped where it is absent."""
    file = _FOLDER / name
    if not file.is_file():
        pytest.skip(f"no {name}: put the contract's specifications beside the checkout")
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def response_schema(document: dict[str, Any], path: str, method: str, status: int) -> dict[str, Any] | None:
    """Schema of a documented response; None where it has no body. An undocumented status fails the test."""
    responses = document["paths"][path][method]["responses"]
    assert str(status) in responses, f"{method} {path} never answers {status}"
    content = responses[str(status)].get("content", {})
    found: dict[str, Any] | None = next((kind["schema"] for kind in content.values()), None)
    return found


def faults(document: dict[str, Any], schema: dict[str, Any], value: Any, at: str = "$") -> list[str]:
    """What is wrong with a value, each with its place."""
    if "$ref" in schema:
        return faults(document, _resolved(document, schema["$ref"]), value, at)
    found = [fault for part in schema.get("allOf", []) for fault in faults(document, part, value, at)]
    if "oneOf" in schema and all(faults(document, part, value, at) for part in schema["oneOf"]):
        found.append(f"{at}: none of the alternatives")
    kind = schema.get("type")
    if kind is not None and (not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")):
        return [*found, f"{at}: {value!r} is no {kind}"]
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{at}: {value!r} is none of {schema['enum']}")
    if isinstance(value, dict):
        found += [f"{at}: {name} is missing" for name in schema.get("required", []) if name not in value]
        for name, inner in schema.get("properties", {}).items():
            if name in value:
                found += faults(document, inner, value[name], f"{at}.{name}")
    if isinstance(value, list) and "items" in schema:
        found += [
            fault for n, item in enumerate(value) for fault in faults(document, schema["items"], item, f"{at}[{n}]")
        ]
    return found


def _resolved(document: dict[str, Any], ref: str) -> dict[str, Any]:
    found = document
    for part in ref.removeprefix("#/").split("/"):
        found = found[part]
    return found
