"""The RPC of the parser: text in, plans out, parsed off the event loop."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

import grpc

from services.parser.convert import to_response
from services.parser.core.parser import Parser
from thanosql.v1 import parser_pb2, parser_pb2_grpc


class ParserServicer(parser_pb2_grpc.ParserServiceServicer):
    """Answers `Parse`; errors travel as exceptions to the runtime's interceptor."""

    def __init__(self, parser: Parser, executor: Executor) -> None:
        self._parser = parser
        self._executor = executor

    async def Parse(
        self, request: parser_pb2.ParseRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> parser_pb2.ParseResponse:
        """Turn the text of a call into one plan a statement, all or nothing."""
        loop = asyncio.get_running_loop()
        given_up = threading.Event()
        try:
            return await loop.run_in_executor(self._executor, self._answer, request.text, given_up.is_set)
        finally:
            # The call may have been cancelled or run out of time; its thread stops at the next statement.
            given_up.set()

    def _answer(self, text: str, given_up: Callable[[], bool]) -> parser_pb2.ParseResponse:
        return to_response(self._parser.parse(text, given_up=given_up))
