"""The public face: `from voxroll import Client`, and the command line.

What belongs here: all that a person or a program outside touches, except HTTP itself. Everything goes through the
front door over HTTP; the other rooms are processes that this folder starts (`up`) and never imports. Of the house it
knows `config` and `engine.voice` alone. The names below are imported when they are asked for: the command line begins
here too, and not every command needs a client.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voxroll.client import Client, Outcome
    from voxroll.failure import CommandError
    from voxroll.sync import SyncClient

__all__ = ["Client", "CommandError", "Outcome", "SyncClient"]

_MODULES = {"Client": "client", "CommandError": "failure", "Outcome": "client", "SyncClient": "sync"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
