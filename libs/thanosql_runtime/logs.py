"""Logs are events with fields, one line each: for a person on a console, or JSON for a collector."""

import logging
import sys

import structlog


def configure_logs(log_format: str, level: str) -> None:
    """Set up structlog for the process; called once by the composition root."""
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.getLogger("grpc._cython.cygrpc").addFilter(_tells_something)


def _tells_something(record: logging.LogRecord) -> bool:
    """False for what grpc.aio reports as an error whenever a client leaves in the middle of an answer."""
    return "ExecuteBatchError raised in core by servicer method" not in record.getMessage()
