"""Write the settings table of the README from the settings themselves: `python deploy/settings_table.py`."""

import os
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticUndefined

from config.settings import Settings

_README = Path(__file__).resolve().parents[1] / "README.md"
_BEGIN, _END = "<!-- settings: made by deploy/settings_table.py -->\n", "<!-- end of settings -->\n"


def table() -> str:
    """The table in Markdown."""
    rows = [f"| `{name}` | {default} | {text} |\n" for name, default, text in _rows(Settings, "VOXROLL")]
    return "".join(["| variable | default | what it is for |\n", "|---|---|---|\n", *rows])


def _rows(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        variable = f"{prefix}_{name.upper()}"
        if isinstance(field.default, BaseModel):
            yield from _rows(type(field.default), variable)
        else:
            yield variable, _shown(name, field.default), field.description or ""


def _shown(name: str, default: object) -> str:
    match default:
        case Path():
            return f"the user's {name.removesuffix('_dir')} folder"
        case SecretStr():
            return f"`{default.get_secret_value()}`" if default.get_secret_value() else ""
        case timedelta():
            return f"`{default.total_seconds():.10g}s`"
        case bool():
            return f"`{str(default).lower()}`"
        case None | "" | _ if default in {None, "", (), PydanticUndefined}:
            return ""
        case _:
            return f"`{default}`"


def renewed(readme: str) -> str:
    """The README with the table as it should be."""
    head, _, rest = readme.partition(_BEGIN)
    return head + _BEGIN + table() + _END + rest.partition(_END)[2]


if __name__ == "__main__":
    os.chdir(_README.parent)
    _README.write_text(renewed(_README.read_text()))
    sys.stdout.write("README.md: settings table written\n")
