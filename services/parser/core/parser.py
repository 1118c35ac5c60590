"""The parser: the text of a call in, one plan for each statement out."""

from collections.abc import Callable
from itertools import islice

from services.parser.core.builders import PlanBuilder
from services.parser.core.faults import fault
from services.parser.core.fragment import Fragment, split
from services.parser.core.grammar import StatementGrammar
from services.parser.core.plan import Plan
from services.parser.core.scanner import scan
from services.parser.core.source import Source
from thanosql_runtime.errors import Reason, error

MAX_TEXT_BYTES = 1 << 20
MAX_STATEMENTS = 500


def _never() -> bool:
    return False


class Parser:
    """Parses statements; pure, safe to share between threads, costly to make and cheap to use."""

    def __init__(self, *, max_text_bytes: int = MAX_TEXT_BYTES) -> None:
        self._max_text_bytes = max_text_bytes
        self._grammar = StatementGrammar()
        self._builder = PlanBuilder(self._read_statement)

    def parse(self, text: str, *, given_up: Callable[[], bool] = _never) -> tuple[Plan, ...]:
        """The plans of all statements of a text, in order; none for space and comments.

        Args:
            text: The text of a call.
            given_up: Asked before every statement whether the caller still waits for the plans.

        Raises:
            ThanosqlError: Something in the text is wrong, and the error has its place; or CANCELLED
                because the caller gave up.
        """
        source = Source(text)
        if len(text.encode("utf-8", "surrogatepass")) > self._max_text_bytes:
            message = f"the text is larger than {self._max_text_bytes} bytes"
            raise fault(message, source.span(0, 1), reason=Reason.STATEMENT_TOO_LARGE)
        statements = list(islice(split(source, scan(source)), MAX_STATEMENTS + 1))
        if len(statements) > MAX_STATEMENTS:
            message = f"the text has more than {MAX_STATEMENTS} statements; send it in several calls"
            place = statements[-1].token_span(statements[-1].low)
            raise fault(message, place, reason=Reason.STATEMENT_TOO_LARGE)
        return tuple(self._read(statement, given_up) for statement in statements)

    def _read(self, statement: Fragment, given_up: Callable[[], bool]) -> Plan:
        if given_up():
            raise error(Reason.CANCELLED, "the caller gave up before the text was parsed")
        return self._read_statement(statement)

    def _read_statement(self, statement: Fragment) -> Plan:
        return self._builder.build(statement, self._grammar.parse(statement))
