import pytest

from services.modules import MODULES, in_start_order


def test_all_starts_every_service_behind_what_it_needs() -> None:
    names = [module.name for module in in_start_order(["all"])]
    assert sorted(names) == sorted(MODULES)
    for name in names:
        assert all(names.index(need) < names.index(name) for need in MODULES[name].needs)


def test_a_service_alone_brings_nobody_along() -> None:
    assert [module.name for module in in_start_order(["gateway"])] == ["gateway"]


def test_an_unknown_service_is_named_with_the_known() -> None:
    with pytest.raises(ValueError, match=r"no such service: predicter; known: all, parser"):
        in_start_order(["predicter"])
