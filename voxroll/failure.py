"""What a command ends with: exit codes, and the one error that a user is meant to read.

Whatever goes wrong in an expected way becomes a `CommandError` with a stable code, a message that says the way out, and
an exit code. `voxroll.show.told` prints it; a traceback is for defects of Voxroll alone.
"""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of all commands; 69 and 78 are those of sysexits.h, 5, 7, 9 and 10 are like rclone's.

    INCOMPLETE: not everybody became complete, and a retry may help. FATAL: not everybody did, and none will.
    """

    OK = 0
    FAILED = 1
    USAGE = 2
    INCOMPLETE = 5
    FATAL = 7
    NOTHING = 9
    LIMIT = 10
    UNAVAILABLE = 69
    SETTINGS = 78


class CommandError(Exception):
    """Something that the user can put right; `str()` is `code: message`."""

    def __init__(self, code: str, message: str, *, exit_code: Exit = Exit.FAILED) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.exit_code = exit_code

    def context(self) -> dict[str, str]:
        """The error as `--json` prints it."""
        return {"code": self.code, "message": self.message}


class PassingError(CommandError):
    """The front door can't just now; `after_s` is how long it asks to be left alone."""

    def __init__(self, code: str, message: str, *, after_s: float = 0.0, exit_code: Exit = Exit.FAILED) -> None:
        super().__init__(code, message, exit_code=exit_code)
        self.after_s = after_s
