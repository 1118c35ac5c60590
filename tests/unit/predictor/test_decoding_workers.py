"""What runs in a decoding process: its end, and files that cannot be read or written."""

import errno
import gzip
import os
import subprocess
from pathlib import Path

import pytest

from services.predictor.core.decoding.beam import compiled
from services.predictor.core.decoding.beam.orders import CompileOrder, failure_in, pack_compiling
from services.predictor.core.decoding.beam.processes import WORKER_COMMAND
from services.predictor.core.decoding.beam.worker import Worker, compile_model
from tests.fakes.language_models import SMALL_ARPA
from thanosql_ctc.vocabulary import Vocabulary
from thanosql_runtime.errors import Reason, ThanosqlError


def order_of(path: Path) -> CompileOrder:
    folder = path.with_suffix(".arrays")
    folder.mkdir(exist_ok=True)
    return CompileOrder(
        path=str(path),
        folder=str(folder),
        vocabulary=Vocabulary.of_characters("AB"),
        max_ngrams=1000,
        max_bytes=1 << 20,
    )


def test_a_process_whose_owner_is_gone_ends_amid_its_order(tmp_path: Path) -> None:
    endless = tmp_path / "a.arpa"
    os.mkfifo(endless)  # nobody ever writes into it
    process = subprocess.Popen(WORKER_COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        process.communicate(b"".join(pack_compiling(order_of(endless))), timeout=60)
    finally:
        process.kill()
        process.wait()


def test_damage_in_a_gzip_file_is_the_files(tmp_path: Path) -> None:
    packed = gzip.compress(SMALL_ARPA.encode())
    path = tmp_path / "a.arpa.gz"
    reasons = set()
    for place in range(10, len(packed)):
        path.write_bytes(packed[:place] + bytes([packed[place] ^ 0xFF]) + packed[place + 1 :])
        try:
            compile_model(order_of(path))  # the last bytes stand behind what is read
        except ThanosqlError as failure:
            reasons.add(failure.reason)
    assert Reason.INVALID_DATA in reasons
    assert reasons <= {Reason.INVALID_DATA, Reason.UNSUPPORTED_FORMAT}


def answered(order: CompileOrder) -> ThanosqlError:
    content = {"kind": "compile", "order": {**vars(order), "vocabulary": vars(order.vocabulary)}}
    told, _array = Worker().answer(content, b"")
    return failure_in(told)


@pytest.mark.parametrize("problem", [OSError(errno.ENOSPC, "full"), OSError("8 requested and 0 written")])
def test_a_full_disk_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: OSError
) -> None:
    def save(*_arguments: object, **_options: object) -> None:
        raise problem

    monkeypatch.setattr(compiled.np, "save", save)
    (tmp_path / "a.arpa").write_text(SMALL_ARPA)
    failure = answered(order_of(tmp_path / "a.arpa"))
    assert failure.reason is Reason.STORE_UNAVAILABLE
    assert "make room" in failure.message


def test_a_file_that_the_disk_does_not_give_is_not_called_damaged(tmp_path: Path) -> None:
    failure = answered(order_of(tmp_path / "gone.arpa"))
    assert failure.reason is Reason.STORE_UNAVAILABLE
    assert "decompressed" not in failure.message
