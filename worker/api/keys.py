"""Every key of the API client, one function each, with its TTL."""


def token(account: str) -> str:
    """The shared access token. TTL: a minute less than the token's own."""
    return f"vx:{{{account}}}:api:token"


def token_lock(account: str) -> str:
    """Held by the one process that fetches a token. TTL: 15 s."""
    return f"vx:{{{account}}}:api:token:lock"


def calls(account: str) -> str:
    """Sorted set of recent calls by time in ms. TTL: one window."""
    return f"vx:{{{account}}}:api:calls"


def penalty(account: str) -> str:
    """There while the API's penalty runs. TTL: the penalty."""
    return f"vx:{{{account}}}:api:penalty"
