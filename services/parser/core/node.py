"""A rule of the grammar as matched, with easy access to its names, strings, options and rest."""

import re
from collections.abc import Iterator

from lark import Token as Terminal
from lark import Tree

from services.parser.core.faults import fault, shorten
from services.parser.core.fragment import Fragment
from services.parser.core.option_types import GivenOption, Literal, read_number
from services.parser.core.plan_parts import Name
from services.parser.core.scanner import TokenKind, string_value
from services.parser.core.versions import read_version
from thanosql_runtime.errors import Reason, Span

_LONGEST_NAME = 128
_MODEL_NAME = re.compile(r"[^\W\d][\w-]*(\.\d+)?")
_RESERVED_TABLE = re.compile(r"__(nested_\d+|version_\d+_of_.*)", re.IGNORECASE | re.DOTALL)
_TRUTH = {"TRUE": True, "FALSE": False, "NONE": None}


class Node:
    """One matched rule, over the tokens of its statement."""

    def __init__(self, statement: Fragment, tree: Tree[Terminal]) -> None:
        self.statement = statement
        self.rule = str(tree.data)
        self._tree = tree

    @property
    def head(self) -> Span:
        """The first two words of the statement, such as `SEARCH KEYWORD`."""
        last = min(self.statement.low + 1, self.statement.high - 1)
        return self.statement.token_span(self.statement.low, last)

    def has(self, terminal: str) -> bool:
        """Whether a terminal stands directly in the rule."""
        return any(True for _ in self._terminals(terminal))

    def child(self, rule: str) -> "Node | None":
        """The first rule of that name directly below, if there is one."""
        for tree in self._tree.children:
            if isinstance(tree, Tree) and tree.data == rule:
                return Node(self.statement, tree)
        return None

    def only_child(self) -> "Node":
        """The one rule directly below, where the grammar makes sure of it."""
        trees = [tree for tree in self._tree.children if isinstance(tree, Tree)]
        assert len(trees) == 1, f"{self.rule} has one rule below"
        return Node(self.statement, trees[0])

    def rest(self, terminal: str) -> Fragment:
        """The tokens that a terminal such as QUERY takes."""
        found = self._one(terminal)
        return self.statement.part(_low(found), _high(found))

    def names(self, terminal: str) -> list[Name]:
        """All names of a kind, in order."""
        return [self._name(found) for found in self._terminals(terminal)]

    def name(self, terminal: str) -> Name:
        """The name of a table, column or object.

        Raises:
            ThanosqlError: It is empty, too long or reserved.
        """
        name = self._name(self._one(terminal))
        if _RESERVED_TABLE.fullmatch(name.text):
            raise fault(f"the name '{name.text}' is reserved", name.span, reason=Reason.INVALID_NAME)
        return name

    def model(self, terminal: str = "MODEL_REFERENCE") -> Name:
        """The name of a model, for a MODEL_REFERENCE perhaps with a version: `m.2`.

        Raises:
            ThanosqlError: It holds other characters than letters, digits, `_` and `-`.
        """
        name = self._name(self._one(terminal))
        match = _MODEL_NAME.fullmatch(name.text)
        if match is None or (match.group(1) and terminal != "MODEL_REFERENCE"):
            message = f"'{shorten(name.text)}' is not a valid model name"
            expected = ["a letter, then letters, digits, '_' or '-'"]
            raise fault(message, name.span, reason=Reason.INVALID_NAME, expected=expected)
        return name

    def text(self, terminal: str) -> Name:
        """The string that a SOURCE or a JOB_ID holds.

        Raises:
            ThanosqlError: It is empty.
        """
        found = self._one(terminal)
        span = self.statement.token_span(_low(found))
        text = string_value(self.statement.tokens[_low(found)])
        if not text.strip():
            what = "path" if terminal == "SOURCE" else "job id"
            raise fault(f"the {what} is empty", span, reason=Reason.INVALID_ARGUMENT)
        return Name(text=text, span=span)

    def version(self) -> tuple[int, Span]:
        """The number of a version, and its place.

        Raises:
            ThanosqlError: It is not a whole number from 1.
        """
        found = self._one("NUMBER")
        span = self.statement.token_span(_low(found))
        return read_version(str(found), span), span

    def options(self) -> list[GivenOption]:
        """What OPTIONS holds; nothing where there is no OPTIONS.

        Raises:
            ThanosqlError: A number is too long or too large.
        """
        node = self.child("options")
        return [] if node is None else [option._option() for option in node._children()]

    def _children(self) -> Iterator["Node"]:
        for tree in self._tree.children:
            if isinstance(tree, Tree):
                yield Node(self.statement, tree)

    def _option(self) -> GivenOption:
        name = self._name(self._one("OPTION_NAME"))
        lowered = Name(text=name.text.lower(), span=name.span)
        return GivenOption(name=lowered, value=self.only_child()._literal())

    def _literal(self) -> Literal:
        leaves = [leaf for leaf in self._tree.children if isinstance(leaf, Terminal)]
        first, last = leaves[0], leaves[-1]
        span = self.statement.token_span(_low(first), _high(last) - 1)
        if first.type in _TRUTH:
            return Literal(value=_TRUTH[first.type], span=span)
        if first.type == "LSQB":
            return Literal(value=tuple(child._literal() for child in self._children()), span=span)
        if last.type == "NUMBER":
            return read_number("".join(leaves), span)
        return Literal(value=string_value(self.statement.tokens[_low(first)]), span=span)

    def _name(self, found: Terminal) -> Name:
        tokens = self.statement.tokens[_low(found) : _high(found)]
        quoted = tokens[0].kind is TokenKind.QUOTED
        text = string_value(tokens[0]) if quoted else tokens[0].text
        span = self.statement.token_span(_low(found), _high(found) - 1)
        if not text.strip() or len(text) > _LONGEST_NAME:
            message = f"a name must have 1 to {_LONGEST_NAME} characters"
            raise fault(message, span, reason=Reason.INVALID_NAME)
        return Name(text=text + "".join(token.text for token in tokens[1:]), span=span)

    def _terminals(self, terminal: str) -> Iterator[Terminal]:
        for leaf in self._tree.children:
            if isinstance(leaf, Terminal) and leaf.type == terminal:
                yield leaf

    def _one(self, terminal: str) -> Terminal:
        return next(self._terminals(terminal))


def _low(terminal: Terminal) -> int:
    assert terminal.start_pos is not None, "the grammar marks every leaf with its tokens"
    return int(terminal.start_pos)


def _high(terminal: Terminal) -> int:
    assert terminal.end_pos is not None, "the grammar marks every leaf with its tokens"
    return int(terminal.end_pos)
