"""The public face: `from voxroll import Client`, and the command line.

What belongs here: all that a person or a program outside touches, except HTTP itself. Everything goes through the
front door over HTTP; the other rooms are processes that this folder starts (`up`) and never imports. Of the house it
knows `config` and `engine.voice` alone.
"""

from voxroll.client import Client, Outcome
from voxroll.failure import CommandError
from voxroll.sync import SyncClient

__all__ = ["Client", "CommandError", "Outcome", "SyncClient"]
