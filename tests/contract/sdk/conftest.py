"""A gateway that answers as told, and clients of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.sdk_gateway import TABLE, FakeGateway, done, rows, serving_gateway, started
from thanosql import ThanoSQL


@pytest.fixture(autouse=True)
def _own_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("THANOSQL_ADDRESS", raising=False)
    monkeypatch.delenv("THANOSQL_API_TOKEN", raising=False)


@pytest.fixture
def gateway() -> FakeGateway:
    answer = [started("SELECT"), *rows(TABLE), done("3 rows", rows=3)]
    return FakeGateway(answers={"SELECT * FROM t": answer})


@pytest.fixture
def address(gateway: FakeGateway) -> Iterator[str]:
    with serving_gateway(gateway) as bound:
        yield bound


@pytest.fixture
def client(gateway: FakeGateway, address: str) -> Iterator[ThanoSQL]:
    with ThanoSQL(address, gateway.token) as opened:
        yield opened
