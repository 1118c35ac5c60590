"""The parser: the text of a call in, one plan for each statement out."""

from services.parser.core.builders import PlanBuilder
from services.parser.core.faults import fault
from services.parser.core.fragment import Fragment, split
from services.parser.core.grammar import StatementGrammar
from services.parser.core.plan import Plan
from services.parser.core.scanner import scan
from services.parser.core.source import Source
from thanosql_runtime.errors import Reason

MAX_TEXT_BYTES = 1_000_000


class Parser:
    """Parses statements; pure, safe to share between threads, costly to make and cheap to use."""

    def __init__(self, *, max_text_bytes: int = MAX_TEXT_BYTES) -> None:
        self._max_text_bytes = max_text_bytes
        self._grammar = StatementGrammar()
        self._builder = PlanBuilder(self._read_statement)

    def parse(self, text: str) -> tuple[Plan, ...]:
        """The plans of all statements of a text, in order; none for space and comments.

        Raises:
            ThanosqlError: Something in the text is wrong; the error has its place.
        """
        source = Source(text)
        if len(text.encode("utf-8", "surrogatepass")) > self._max_text_bytes:
            message = f"the text is larger than {self._max_text_bytes} bytes"
            raise fault(message, source.span(0, 1), reason=Reason.STATEMENT_TOO_LARGE)
        return tuple(self._read_statement(statement) for statement in split(source, scan(source)))

    def _read_statement(self, statement: Fragment) -> Plan:
        return self._builder.build(statement, self._grammar.parse(statement))
