"""The one error that this library raises about a recording.

`code` is stable and meant for programs, `message` for people: it names the measured value, the limit and the way out.
"""


class VoiceFailure(Exception):  # noqa: N818  the word of the house for a recording that will not do
    """A recording that will not do.

    Args:
        code: one of `codes.CODES`.
        message: measured value, limit and way out, in words.
        value: what was measured, where it is a number.
        limit: what it was held against, in the same unit.
    """

    def __init__(self, code: str, message: str, *, value: float | None = None, limit: float | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.value = value
        self.limit = limit

    def __reduce__(self) -> tuple[object, ...]:  # carries all fields through process pools
        return _restored, (self.code, self.message, self.value, self.limit)


def _restored(code: str, message: str, value: float | None, limit: float | None) -> VoiceFailure:
    return VoiceFailure(code, message, value=value, limit=limit)
