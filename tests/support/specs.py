"""Published specifications as data, and a check of JSON against their schemas.

Types, required members, enums, combinations, and the formats date-time and int32 are checked.
"""

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime
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


def _is_time(value: str) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


_FORMATS: dict[str, Callable[[Any], bool]] = {"date-time": _is_time, "int32": lambda value: -(2**31) <= value < 2**31}


@cache
def spec(name: str) -> dict[str, Any]:
    """One specification; the calling test is skipped where it is absent."""
    file = _FOLDER / name
    if not file.is_file():
        pytest.skip(f"no {name}: put the contract's specifications beside the checkout")
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def names() -> list[str]:
    """Files of all specifications that there are, oldest first."""
    return sorted(file.name for file in _FOLDER.glob("*.json"))


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Verb, path with unnamed parameters, and description of each operation."""
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            if verb in {"get", "post", "put", "patch", "delete"}:
                yield verb, re.sub(r"{\w+}", "{}", path), operation


def body_schema(document: dict[str, Any], described: dict[str, Any]) -> dict[str, Any] | None:
    """Schema of a request or response body; None where there is none."""
    if "$ref" in described:
        described = _resolved(document, described["$ref"])
    found: dict[str, Any] | None = next((kind["schema"] for kind in described.get("content", {}).values()), None)
    return found


def callback_schema(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any] | None:
    """Schema of what an operation posts to the webhook."""
    (urls,) = operation["callbacks"].values()
    (callback,) = urls.values()
    return body_schema(document, callback["post"]["requestBody"])


def faults(document: dict[str, Any], schema: dict[str, Any], value: Any, at: str = "$") -> list[str]:
    """What is wrong with a value, each with its place."""
    if "$ref" in schema:
        return faults(document, _resolved(document, schema["$ref"]), value, at)
    if "content" in schema:  # a whole response, referred to as if it were a schema
        return faults(document, body_schema(document, schema) or {}, value, at)
    found = [fault for part in schema.get("allOf", []) for fault in faults(document, part, value, at)]
    if "oneOf" in schema and all(faults(document, part, value, at) for part in schema["oneOf"]):
        found.append(f"{at}: none of the alternatives")
    kind = schema.get("type")
    if kind is not None and (not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")):
        return [*found, f"{at}: {value!r} is no {kind}"]
    found += _of_value(schema, value, at)
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


def _of_value(schema: dict[str, Any], value: Any, at: str) -> list[str]:
    found = []
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{at}: {value!r} is none of {schema['enum']}")
    if schema.get("format") in _FORMATS and not _FORMATS[schema["format"]](value):
        found.append(f"{at}: {value!r} is no {schema['format']}")
    return found


def _resolved(document: dict[str, Any], ref: str) -> dict[str, Any]:
    found = document
    for part in ref.removeprefix("#/").split("/"):
        found = found[part]
    return found
