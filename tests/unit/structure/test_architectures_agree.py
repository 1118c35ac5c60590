"""Storage knows the architectures of recognisers without their library; both name the same."""

from services.storage.core.models.checkpoints import ARCHITECTURES
from thanosql_ctc.families import ARCHITECTURES as LOADED


def test_storage_takes_what_can_be_loaded() -> None:
    assert tuple(LOADED) == ARCHITECTURES
