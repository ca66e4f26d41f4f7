"""structlog, set up once per process: JSON for machines, pretty on a terminal, always to standard error.

Standard library loggers (aiohttp, arq) go through the same chain, so that one process writes one format. Values whose
key says that they are secret or biometric are replaced, whoever logs them.
"""

import logging
import sys

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from config.settings import Log

_NEVER = frozenset(
    {"content", "audio", "embedding", "voiceprint", "token", "jwt", "signature", "authorization", "secret", "password"}
)


def _hide(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key in event.keys() & _NEVER:
        event[key] = "***"
    return event


def configure(log: Log, *, process: str) -> None:
    """Set up logging for this process; every line carries its name."""
    pretty = log.format == "pretty" or (log.format == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _hide,
    ]
    renderer: Processor = structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer()
    tail: list[Processor] = [renderer] if pretty else [structlog.processors.format_exc_info, renderer]
    level = logging.getLevelNamesMapping()[log.level.upper()]
    structlog.configure(
        processors=[*shared, *tail],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *tail],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.WARNING))
