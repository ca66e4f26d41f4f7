"""The first thing a process does: it imports what it is, with Python's collector at rest.

What is imported stays as long as the process. The collector would look through all of it again and again on the way,
which is a sixth of what the imports cost.
"""

import gc
from importlib import import_module
from types import ModuleType


def imported(name: str) -> ModuleType:
    """The module of that name; the collector need never look at what is there by then."""
    gc.disable()
    module = import_module(name)
    gc.freeze()
    gc.enable()
    return module
