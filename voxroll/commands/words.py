"""Words that options take."""

from collections.abc import Sequence

from voxroll.failure import CommandError, Exit


def known(text: str, words: Sequence[str], option: str) -> str | None:
    """The word, if there is one.

    Args:
        text: what was given, or nothing.
        words: which are known.
        option: that it was given for.

    Raises:
        CommandError: `bad_usage`.
    """
    if text and text not in words:
        message = f"{text!r}: --{option} is one of {', '.join(words)}"
        raise CommandError("bad_usage", message, exit_code=Exit.USAGE)
    return text or None
