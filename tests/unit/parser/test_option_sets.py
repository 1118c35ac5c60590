"""The tables of options agree with the options of the plans."""

from dataclasses import fields
from typing import Any

import pytest

from services.parser.core.faults import nearest
from services.parser.core.option_sets import OptionSet, option_sets
from services.parser.core.option_types import GivenOption, Literal
from services.parser.core.plan_options import BeamOptions
from services.parser.core.plan_parts import Name
from services.parser.core.unexpected import STATEMENTS
from thanosql_runtime.errors import Reason, Span, ThanosqlError

PLACE = Span(start=0, end=1, line=1, column=1)
SETS = option_sets()


def given(name: str, value: Any) -> GivenOption:
    return GivenOption(name=Name(text=name, span=PLACE), value=Literal(value=value, span=PLACE))


def required(options: "OptionSet[Any]") -> list[GivenOption]:
    return [given(name, "x") for name in options.needs]


@pytest.mark.parametrize("options", SETS, ids=lambda options: options.label)
def test_every_option_is_a_field_of_the_plan(options: "OptionSet[Any]") -> None:
    made, notices = options.read(required(options), PLACE)

    known = {item.name for item in fields(made)}
    if "beam" in known:
        known |= {item.name for item in fields(BeamOptions)}
    assert set(options.takes) <= known
    assert notices == ()


@pytest.mark.parametrize("options", SETS, ids=lambda options: options.label)
def test_no_option_is_both_taken_and_without_effect(options: "OptionSet[Any]") -> None:
    assert not options.ignores & set(options.takes)


@pytest.mark.parametrize("options", SETS, ids=lambda options: options.label)
def test_every_slip_in_an_option_is_answered_with_its_name(options: "OptionSet[Any]") -> None:
    for name in options.takes:
        slip = name[:-2] + name[-1]
        with pytest.raises(ThanosqlError) as caught:
            options.read([given(slip, 1)], PLACE)
        assert caught.value.reason is Reason.UNKNOWN_OPTION
        assert caught.value.statement is not None
        assert caught.value.statement.suggestion == name


@pytest.mark.parametrize("statement", [name for name in STATEMENTS if len(name.split()[0]) > 3])
def test_every_slip_in_a_statement_is_answered_with_its_name(statement: str) -> None:
    first = statement.split()[0]
    firsts = {name.split()[0] for name in STATEMENTS}

    assert nearest(first[:-2] + first[-1], firsts) == first
    assert nearest(first[1] + first[0] + first[2:], firsts) == first


def test_unrelated_words_are_not_offered() -> None:
    assert nearest("temperature", ["batch_size", "epochs", "text_col"]) == ""
    assert nearest("x" * 1000, ["epochs"]) == ""
