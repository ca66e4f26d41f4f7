"""Keeps what was freed from staying with the process, where the C library lets us (glibc).

Half an hour of sound is worked on in pieces of megabytes by several libraries. By default glibc learns to keep them
in its heap, and a process that preflights a three-hour MP3 peaked at 310 to 325 MB; with both thresholds fixed at
4 MB it peaked at 251 to 262 MB.
"""

import ctypes

_TRIM, _MMAP = -1, -3  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD of mallopt(3)
_THRESHOLD = 4 << 20


def bound() -> None:
    """Give pieces of 4 MB and more back when they are freed, and at once what is free now."""
    library = ctypes.CDLL(None)
    for name, arguments in (("mallopt", (_TRIM, _THRESHOLD)), ("mallopt", (_MMAP, _THRESHOLD)), ("malloc_trim", (0,))):
        function = getattr(library, name, None)
        if function is not None:
            function(*arguments)
