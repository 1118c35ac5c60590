"""Wires the parser service."""

import logging
from concurrent.futures import ThreadPoolExecutor

import grpc

from services.parser.core.parser import Parser
from services.parser.servicer import ParserServicer
from services.parser.settings import ParserSettings
from thanosql.v1 import parser_pb2, parser_pb2_grpc
from thanosql_runtime.service import Authoriser, Context, Service


class ParserApp:
    """The parser as the composition root runs it."""

    def __init__(self, settings: ParserSettings) -> None:
        # sqlglot warns of syntax that it does not know and quotes the statement, which is no one's business.
        logging.getLogger("sqlglot").setLevel(logging.ERROR)
        self._executor = ThreadPoolExecutor(settings.threads, thread_name_prefix="parser")
        self._servicer = ParserServicer(Parser(max_text_bytes=settings.max_text_bytes), self._executor)

    @property
    def full_name(self) -> str:
        """Name in health and reflection."""
        return parser_pb2.DESCRIPTOR.services_by_name["ParserService"].full_name

    @property
    def authorise(self) -> Authoriser | None:
        """Only the other services may call."""
        return None

    def mount(self, server: grpc.aio.Server) -> None:
        """Add the servicer."""
        parser_pb2_grpc.add_ParserServiceServicer_to_server(self._servicer, server)

    async def start(self) -> None:
        """Nothing to do: the grammar is compiled when the service is built."""

    async def stop(self) -> None:
        """Release the threads; no call is in flight any more."""
        self._executor.shutdown(wait=False, cancel_futures=True)


def build(settings: ParserSettings, context: Context) -> Service:
    """The parser service; it needs nothing of its context."""
    return ParserApp(settings)
