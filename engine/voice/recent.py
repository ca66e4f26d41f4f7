"""What was computed lately, by what it was computed from: a run that is repeated doesn't compute again.

Bounded in number, so keep small things in it. Safe to share between threads; two that ask for the same thing at the
same time both compute it. None is no result.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


class Recent(Generic[_K, _V]):
    """The last `most` results that were asked for."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: OrderedDict[_K, _V] = OrderedDict()

    def get(self, key: _K, compute: Callable[[], _V]) -> _V:
        """The result under the key; computed if it is not known (any more). What `compute` raises is not kept."""
        value = self.known(key)
        if value is None:
            value = compute()
        self.keep(key, value)
        return value

    def known(self, key: _K) -> _V | None:
        """The result under the key, if it is known (still)."""
        return self._known.get(key)

    def keep(self, key: _K, value: _V) -> None:
        """Keep a result that was computed elsewhere."""
        self._known.pop(key, None)
        self._known[key] = value  # at the end: it was asked for last
        while len(self._known) > self._most:
            self._known.popitem(last=False)
