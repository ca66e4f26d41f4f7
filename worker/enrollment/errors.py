"""Errors: the class says what to do, the code says what it was, the message says value, limit and way out."""

from datetime import timedelta


class VoxrollError(Exception):
    """Base of all errors with a stable code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message

    def context(self) -> dict[str, object]:
        """What a log line or a problem document shows."""
        return {"code": self.code, "message": self.message}


class RejectError(VoxrollError):
    """This recording gives no sample; the others go on."""


class RetryLaterError(VoxrollError):
    """The world is not ready; the same step may succeed later."""

    def __init__(self, code: str, message: str, *, after: timedelta = timedelta(seconds=5)) -> None:
        super().__init__(code, message)
        self.after = after


class RecordNewerError(RetryLaterError):
    """A record of a newer version: writing it would drop what is not known here."""

    def __init__(self, speaker_id: str) -> None:
        message = (
            f"the record of {speaker_id} holds what only a newer version of Voxroll knows, and is left as it is; "
            "upgrade this process too"
        )
        super().__init__("record_newer", message, after=timedelta(minutes=1))


class RequestError(VoxrollError):
    """What was asked can't be done as asked; `status` is the HTTP status that says so."""

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        super().__init__(code, message)
        self.status = status


class UnreadableError(RequestError):
    """What is kept of something can't be read; whoever meets it goes on with the others."""

    def __init__(self, kind: str, name: str, how: str) -> None:
        super().__init__(f"{kind}_unreadable", f"the document of {kind} {name} {how}", status=500)
