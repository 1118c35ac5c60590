"""Which answers hold little more than the rows of the table behind them, by the text of a query."""

from collections import Counter

from sqlglot import exp

from services.storage.core.names import fold
from services.storage.core.queries.pushdown import is_of_one_table

_PARTS = frozenset({"group", "having", "order", "distinct", "limit", "offset"})
_MOST_TEXT = 1000
_MOST_USES = 2
# None of these makes a value much longer than those that it is made of.
_KEEP_LENGTH = (
    exp.Alias, exp.Column, exp.Identifier, exp.Paren, exp.Literal, exp.Boolean, exp.Null, exp.Neg, exp.Not,
    exp.Predicate, exp.Connector, exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.DPipe,
    exp.Upper, exp.Lower, exp.Trim, exp.Left, exp.Right, exp.Substring, exp.Length, exp.Round, exp.Abs,
    exp.Floor, exp.Ceil, exp.Coalesce, exp.Case, exp.If, exp.Cast, exp.TryCast, exp.Extract, exp.Var,
    exp.Count, exp.Sum, exp.Avg, exp.Min, exp.Max,
)  # fmt: skip
_Type = exp.DataType.Type
_KINDS = exp.DataType.TEXT_TYPES | exp.DataType.NUMERIC_TYPES | exp.DataType.TEMPORAL_TYPES
_SHORT_TYPES = (_KINDS | {_Type.BOOLEAN}) - {_Type.BIT}


def repeats_nothing(tree: exp.Expr) -> bool:
    """Tell whether every row of an answer is about as long as the rows of a table that it is made of."""
    if not isinstance(tree, exp.Select):
        return False
    has_rows = tree.args.get("from_") or tree.args.get("from")
    if has_rows and not is_of_one_table(tree, _PARTS):
        return False
    if not has_rows and any(value and key != "expressions" for key, value in tree.args.items()):
        return False
    if len(tree.expressions) == 1 and isinstance(tree.expressions[0], exp.Star):
        return not any(tree.expressions[0].args.values())
    return _keeps_length(tree)


def _keeps_length(tree: exp.Select) -> bool:
    uses: Counter[str] = Counter()
    text = 0
    for item in tree.expressions:
        for node in item.walk():
            if not _is_known(node):
                return False
            if isinstance(node, exp.Column):
                uses[fold(node.name)] += 1
            elif isinstance(node, exp.Literal):
                text += len(node.name)
    return text <= _MOST_TEXT and max(uses.values(), default=0) <= _MOST_USES


def _is_known(node: exp.Expr) -> bool:
    if isinstance(node, exp.Star):
        return isinstance(node.parent, exp.Count)
    if isinstance(node, exp.DataType):
        return node.this in _SHORT_TYPES and not node.args.get("nested")
    if isinstance(node, exp.DataTypeParam):
        return True
    # `max(text, 1000)` is a list.
    is_list = isinstance(node, exp.Min | exp.Max) and any(
        node.args[key] for key in node.args if key != "this"
    )
    return isinstance(node, _KEEP_LENGTH) and not is_list
