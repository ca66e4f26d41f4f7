"""`Prefer: wait=SECONDS` (RFC 7240, section 4.3): for how long an answer may wait for what comes of the request."""

import re
from collections.abc import Iterable

WAIT_MOST_S = 30  # proxies and clients give up on answers soon after
_WAIT = re.compile(r"""(?:^|,)\s*wait\s*=\s*(?:([0-9]{1,9})|"([0-9]{1,9})")\s*(?=;|,|$)""", re.IGNORECASE | re.ASCII)


def wait_of(headers: Iterable[str]) -> int | None:
    """Seconds, at most `WAIT_MOST_S`, of the first such preference; None where there is none that can be read.

    What is not understood is passed over, as RFC 7240 asks for (section 2).
    """
    found = _WAIT.search(",".join(headers))
    return min(int(found[1] or found[2]), WAIT_MOST_S) if found else None
