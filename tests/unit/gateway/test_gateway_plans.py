"""Every statement of the wire becomes a statement of core."""

import pytest

from services.gateway import convert_plans
from services.gateway.core.plan_changes import AddColumn, AlterTable, DropColumn, RenameColumn
from thanosql.v1 import parser_pb2


def test_every_statement_of_the_contract_has_a_converter() -> None:
    fields = parser_pb2.Plan.DESCRIPTOR.oneofs_by_name["statement"].fields
    for field in fields:
        message = parser_pb2.Plan()
        getattr(message, field.name).SetInParent()
        assert convert_plans.statement(message).kind


def test_a_plan_without_a_statement_is_a_fault_of_ours() -> None:
    with pytest.raises(ValueError, match="without a statement"):
        convert_plans.statement(parser_pb2.Plan())


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ({"add_column": {"name": "a", "type": "INT"}}, AddColumn(name="a", type="INT")),
        (
            {"drop_column": {"name": "a", "if_exists": True}},
            DropColumn(name="a", if_exists=True),
        ),
        (
            {"rename_column": {"name": "a", "new_name": "b"}},
            RenameColumn(name="a", new_name="b"),
        ),
    ],
)
def test_each_change_of_a_column_is_kept(
    action: dict[str, dict[str, object]],
    expected: AddColumn | DropColumn | RenameColumn,
) -> None:
    message = parser_pb2.Plan()
    ((field, values),) = action.items()
    part = getattr(message.alter_table, field)
    for name, value in values.items():
        setattr(part, name, value)
    converted = convert_plans.statement(message)
    assert isinstance(converted, AlterTable)
    assert converted.action == expected
