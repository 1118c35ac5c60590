import pytest
from pydantic import SecretStr, ValidationError

from thanosql_runtime.settings import PeerSettings, ServerSettings, masked, unknown_variables, variable_names


def test_a_misspelt_variable_is_named_with_the_nearest() -> None:
    wrong = unknown_variables({"THANOSQL_SERVER__ADRESS": "x", "PATH": "y"}, [ServerSettings])
    assert wrong == ["THANOSQL_SERVER__ADRESS is not a setting; did you mean THANOSQL_SERVER__ADDRESS?"]


def test_known_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THANOSQL_PEERS__STORAGE", "storage:50051")
    assert PeerSettings().storage == "storage:50051"
    assert "THANOSQL_PEERS__STORAGE" in variable_names(PeerSettings)


def test_secrets_are_masked_when_printed() -> None:
    shown = masked(ServerSettings(peer_token=SecretStr("hunter2-hunter2-hunter2")))
    assert "hunter2" not in str(shown)


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        ServerSettings().address = "elsewhere"  # type: ignore[misc]
