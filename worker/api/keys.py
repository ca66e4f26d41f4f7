"""Every key of the API client, one function each, with its TTL."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Group:
    """Whose calls the provider counts together: one client id, one user, one group of its methods."""

    account: str
    client_id: str
    user: str
    name: str

    def key(self, what: str) -> str:
        """The braces are a Redis hash tag: one script may touch all keys of a group."""
        return f"vx:{{{self.account}}}:api:{self.client_id}:{self.user}:{self.name}:{what}"


def token(account: str) -> str:
    """The shared access token. TTL: a minute less than the token's own."""
    return f"vx:{{{account}}}:api:token"


def token_lock(account: str) -> str:
    """Held by the one process that fetches a token. TTL: a bit more than the longest fetch."""
    return f"vx:{{{account}}}:api:token:lock"


def pages(account: str) -> str:
    """How many pages the API's list of enrollments had last time. TTL: a day."""
    return f"vx:{{{account}}}:api:pages"


def calls(group: Group) -> str:
    """Sorted set of the calls that were sent lately, by time in ms. TTL: one window."""
    return group.key("calls")


def granted(group: Group) -> str:
    """Sorted set of leaves that were given and not yet used, by the ms at which they end. TTL: a leave's life."""
    return group.key("granted")


def line(group: Group) -> str:
    """Sorted set of those who wait, by turn and by the ms since when. TTL: renewed by whoever asks, see `ask.lua`."""
    return group.key("line")


def due(group: Group) -> str:
    """Sorted set of those who wait, by the ms at which they were told to ask again. TTL: as that of the line."""
    return group.key("due")


def state(group: Group) -> str:
    """Hash of what the provider said: `parked`, `probe`, `refused`, `limit`, `window`. TTL: two hours after that."""
    return group.key("state")
