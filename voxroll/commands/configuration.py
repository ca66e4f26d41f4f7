"""`voxroll config`: every setting, its value, where the value comes from, and what it is for. Secrets stay hidden."""

import difflib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from pydantic import BaseModel, SecretStr
from rich.markup import escape

from config.settings import load
from voxroll.running import adopt
from voxroll.show import JsonOption, as_data, err, out, rows, table

Origin = Literal["env", "up", "default"]
_HIDDEN = "********"
_COLOURS: dict[Origin, str] = {"env": "green", "up": "cyan", "default": "dim"}


@dataclass(frozen=True, slots=True)
class Setting:
    """One leaf of the settings tree."""

    variable: str
    value: str
    origin: Origin
    description: str


def config(*, as_json: JsonOption = False) -> None:
    """Show every setting with its value, its origin and what it is for."""
    by_user = {name for name in os.environ if name.startswith("VOXROLL_") and os.environ[name]}
    by_up = adopt(load())
    found = list(settings_of(load(), by_user=by_user, by_up=by_up))
    unknown = sorted(by_user - {setting.variable for setting in found})
    if as_json:
        listed = [
            {"variable": one.variable, "value": one.value, "origin": one.origin, "description": one.description}
            for one in found
        ]
        as_data({"settings": listed, "unknown": unknown})
        return
    made = table("variable", "value", "origin", "what it is for")
    out.print(rows(made, (_cells(setting) for setting in found)))
    for variable in unknown:
        err.print(f"[yellow]unknown[/]: {escape(variable)} is no setting{_meant(variable, found)}", soft_wrap=True)


def settings_of(settings: BaseModel, *, by_user: set[str], by_up: frozenset[str]) -> Iterator[Setting]:
    """All leaves of a settings tree, in the order in which they are declared."""
    for variable, value, description in _leaves(settings, "VOXROLL"):
        origin: Origin = "env" if variable in by_user else "up" if variable in by_up else "default"
        yield Setting(variable, shown(value), origin, description)


def _leaves(node: BaseModel, prefix: str) -> Iterator[tuple[str, Any, str]]:
    for name, declared in type(node).model_fields.items():
        variable, value = f"{prefix}_{name.upper()}", getattr(node, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value, variable)
        else:
            yield variable, value, declared.description or ""


def shown(value: object) -> str:
    """A value as the variable would be written; a secret only says whether it is set."""
    match value:
        case None:
            return ""
        case SecretStr():
            return _HIDDEN if value.get_secret_value() else ""
        case bool():
            return str(value).lower()
        case timedelta():
            return f"{value.total_seconds():.10g}s"
        case tuple():
            return os.pathsep.join(map(str, value))
        case _:
            return str(value)


def _cells(setting: Setting) -> list[str]:
    colour = _COLOURS[setting.origin]
    value = escape(setting.value) or "[dim]-[/]"
    return [setting.variable, value, f"[{colour}]{setting.origin}[/]", f"[dim]{escape(setting.description)}[/]"]


def _meant(variable: str, known: list[Setting]) -> str:
    close = difflib.get_close_matches(variable, [setting.variable for setting in known], n=1, cutoff=0.8)
    return f"; is {close[0]} meant?" if close else ""
