"""What the engine refuses, as data: status, stable code, message, parameter.

`ApiError` is raised anywhere below the HTTP handlers and turned into the contract's error body in one place. The public
meaning of `CAI-101` (a parameter will not do) is the only one known of its family, so it is the one used; our own
stable code opens the message. Failures of the service itself carry the platform's `CMN-` codes.
"""

from typing import Any

CAI_INVALID = "CAI-101"
CMN_NOT_FOUND = "CMN-120"
CMN_UNAVAILABLE = "CMN-201"
CMN_INTERNAL = "CMN-203"
CMN_RATE = "CMN-301"
RETRY_AFTER_S = 2  # a Redis that restarts with a small append-only file is back by then


class ApiError(Exception):
    """A request that is refused.

    Args:
        status: HTTP status.
        code: our stable code in snake case; it opens the message.
        message: what was measured or found, what the limit is, and the way out.
        parameter: name of the parameter at fault, as the client sent it.
        error_code: the contract's code.
    """

    def __init__(
        self, status: int, code: str, message: str, *, parameter: str | None = None, error_code: str = CAI_INVALID
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.parameter = parameter
        self.error_code = error_code

    def body(self) -> dict[str, Any]:
        """The contract's error body."""
        error = {"errorCode": self.error_code, "message": str(self)}
        if self.parameter is not None:
            error["parameterName"] = self.parameter
        if self.error_code.startswith("CAI-"):
            return {"errors": [error]}
        return {"errorCode": self.error_code, "message": str(self), "errors": [error]}


class StoreAwayError(ApiError):
    """Redis doesn't answer; nothing is known to be lost, and the same request may be sent again."""

    def __init__(self) -> None:
        super().__init__(
            503, "store_away", f"the engine's Redis doesn't answer; try again in {RETRY_AFTER_S} s",
            error_code=CMN_UNAVAILABLE,
        )  # fmt: skip


class NotReadyError(ApiError):
    """Not now, for a reason that is not the request's: models are being loaded, work piles up, a key is missing."""

    def __init__(self, message: str, *, code: str = "not_ready") -> None:
        super().__init__(503, code, f"{message}; try again in {RETRY_AFTER_S} s", error_code=CMN_UNAVAILABLE)


class DecoderLostError(NotReadyError):
    """503: a decoder was killed or couldn't start; if it is the recording's doing, it will happen again."""


def invalid(parameter: str, should_be: str) -> ApiError:
    """400 for a parameter whose value is none; `should_be` completes 'it should be'."""
    return ApiError(
        400, "invalid_parameter", f"Parameter [{parameter}] is invalid; it should be {should_be}", parameter=parameter
    )
