"""UPLOAD MODEL through the real service: checkpoints that users bring are run before they are registered."""

import asyncio
import json
import os
import pickle
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from services.trainer.app import build
from services.trainer.settings import TrainerSettings
from tests.fakes.predictor_checkpoints import write_tiny_checkpoint_of
from tests.fakes.trainer_storage import TrainerStorage, trainer_storage
from thanosql.v1 import trainer_pb2, trainer_pb2_grpc, types_pb2
from thanosql_ctc.checkpoint import load_checkpoint
from thanosql_objects.settings import ObjectSettings
from thanosql_runtime.errors import Reason, ThanosqlError, error
from thanosql_runtime.status import peer_errors
from thanosql_runtime.testing import Build, eventually, peer_channel, serving


class Trainer:
    """The service, and the folders that it reads and writes."""

    def __init__(
        self, stub: "trainer_pb2_grpc.TrainerServiceAsyncStub", storage: TrainerStorage, home: Path
    ) -> None:
        self._stub = stub
        self.storage = storage
        self.files = home / "files"
        self.stored = home / "objects" / "models"
        self.scratch = home / "checking"

    async def upload(self, path: str, **fields: object) -> types_pb2.ModelVersion:
        request = trainer_pb2.UploadModelRequest(model="mine", path=path, **fields)  # type: ignore[arg-type]
        with peer_errors("trainer"):
            return (await self._stub.UploadModel(request)).model

    async def refusal(self, path: str, **fields: object) -> ThanosqlError:
        """Why an upload was refused, after which nothing of it is left."""
        with pytest.raises(ThanosqlError) as caught:
            await self.upload(path, **fields)
        assert list(self.scratch.iterdir()) == []
        assert not [file for file in self.stored.rglob("*") if file.is_file()]
        assert "mine" not in self.storage.models
        return caught.value


@pytest.fixture
async def trainer(tmp_path: Path) -> AsyncIterator[Trainer]:
    storage = trainer_storage()
    settings = TrainerSettings(
        max_model_bytes=1 << 20,
        objects=ObjectSettings(uri=str(tmp_path / "objects"), workspace=str(tmp_path / "files")),
    )
    builds: list[Build] = [lambda _context: storage, lambda context: build(settings, context)]
    async with serving(builds, tmp_path) as address, peer_channel(address) as channel:
        yield Trainer(trainer_pb2_grpc.TrainerServiceStub(channel), storage, tmp_path)


@pytest.mark.parametrize("architecture", ["wav2vec2", "hubert", "wavlm", "data2vec-audio"])
async def test_a_checkpoint_becomes_a_model_that_can_be_loaded(trainer: Trainer, architecture: str) -> None:
    write_tiny_checkpoint_of(trainer.files / "bought", architecture)
    (trainer.files / "bought" / "README.md").write_text("not read")
    model = await trainer.upload("bought/", statement="UPLOAD ...")

    assert (model.name, model.version, model.active) == ("mine", 1, True)
    assert (model.kind, model.origin) == (types_pb2.MODEL_KIND_UPLOADED, "uploaded bought")
    assert model.properties["architecture"] == architecture
    assert (model.properties["labels"], model.properties["sample_rate_hz"]) == ("32", "16000")
    assert model.properties["statement"] == "UPLOAD ..."
    (folder,) = (trainer.stored / "mine").iterdir()
    loaded = load_checkpoint(folder)
    assert int(model.properties["parameters"]) == sum(w.numel() for w in loaded.model.parameters())
    assert {file.name for file in model.artefacts} == {path.name for path in folder.iterdir()}
    assert "README.md" not in {path.name for path in folder.iterdir()}
    assert list(trainer.scratch.iterdir()) == []


async def test_pickled_weights_become_safetensors(trainer: Trainer) -> None:
    folder = write_tiny_checkpoint_of(trainer.files / "old", "hubert")
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save({"state_dict": weights, "epoch": 3}, folder / "weights.pth")
    torch.save({"step": 1}, folder / "optimizer.pt")
    model = await trainer.upload("old")
    assert {"model.safetensors"} == {file.name for file in model.artefacts if file.size_bytes > 10_000}
    assert not any(file.name.endswith((".pth", ".pt")) for file in model.artefacts)


async def test_explaining_reads_no_weights_and_stores_nothing(trainer: Trainer) -> None:
    folder = write_tiny_checkpoint_of(trainer.files / "bought", "wavlm")
    (folder / "model.safetensors").write_bytes(b"never read")
    model = await trainer.upload("bought", explain_only=True)
    assert (model.version, model.properties["architecture"]) == (0, "wavlm")
    assert "model.safetensors" in {file.name for file in model.artefacts}
    assert trainer.storage.models == {}
    assert not list(trainer.stored.rglob("*"))


async def test_the_same_request_id_makes_one_version(trainer: Trainer) -> None:
    write_tiny_checkpoint_of(trainer.files / "bought", "hubert")
    first = await trainer.upload("bought", request_id="one")
    assert await trainer.upload("bought", request_id="one") == first
    assert (await trainer.upload("bought", request_id="two", overwrite=True)).version == 2


async def test_an_answer_that_was_lost_is_asked_for_again(trainer: Trainer) -> None:
    write_tiny_checkpoint_of(trainer.files / "bought", "hubert")
    trainer.storage.lose_answers = [error(Reason.PEER_UNAVAILABLE, "the connection broke")]
    assert (await trainer.upload("bought")).version == 1
    assert len(trainer.storage.models["mine"]) == 1


async def test_what_the_catalog_refuses_leaves_no_files(trainer: Trainer) -> None:
    write_tiny_checkpoint_of(trainer.files / "bought", "hubert")
    trainer.storage.refuse_registration = error(Reason.CONFLICT, "somebody was faster")
    assert (await trainer.refusal("bought")).reason is Reason.CONFLICT


@pytest.mark.parametrize("kind", ["MODEL_KIND_BASE", "MODEL_KIND_TRAINED"])
async def test_a_name_that_is_taken_is_refused(trainer: Trainer, kind: str) -> None:
    trainer.storage.add_model("mine", kind=kind)
    write_tiny_checkpoint_of(trainer.files / "bought", "hubert")
    with pytest.raises(ThanosqlError, match="exists already") as caught:
        await trainer.upload("bought", overwrite=kind == "MODEL_KIND_BASE")
    assert caught.value.reason is Reason.MODEL_ALREADY_EXISTS
    assert len(trainer.storage.models["mine"]) == 1


class RunsCode:
    """A pickle of it would make a file when it is read."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self._mark),)


@pytest.mark.parametrize("by_torch", [False, True])
async def test_a_pickle_that_would_run_code_is_refused_unrun(trainer: Trainer, by_torch: bool) -> None:
    folder, mark = write_tiny_checkpoint_of(trainer.files / "trap", "hubert"), trainer.files / "sprung"
    (folder / "model.safetensors").unlink()
    trap = {"lm_head.bias": RunsCode(mark)}
    if by_torch:
        torch.save(trap, folder / "pytorch_model.bin")
    else:
        (folder / "pytorch_model.bin").write_bytes(pickle.dumps(trap))
    failure = await trainer.refusal("trap")
    assert failure.reason is Reason.INVALID_CHECKPOINT
    assert "more than weights" in failure.message
    assert not mark.exists()


def set_nan(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["lm_head.bias"][3] = float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def set_enormous(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["lm_head.weight"].fill_(3e38)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def edit_config(folder: Path, **changes: object) -> None:
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(content | changes))


def two_pickles(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    for name in ("a.pth", "b.pth"):
        torch.save(weights, folder / name)


def nested_pickle(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({"model": {"epoch": 3}}, folder / "a.pth")


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (set_nan, "no numbers"),
        (set_enormous, "gives no numbers for noise"),
        (lambda folder: (folder / "config.json").unlink(), r"lacks config\.json; it has "),
        (lambda folder: (folder / "model.safetensors").unlink(), r"lacks model\.safetensors"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"junk"), "is damaged"),
        (lambda folder: (folder / "model.safetensors").write_bytes(bytes(1 << 20)), "MAX_MODEL_BYTES is"),
        (lambda folder: edit_config(folder, model_type="bert"), "holds bert"),
        (lambda folder: edit_config(folder, hidden_size=64), "asks for"),
        (two_pickles, r"a\.pth, b\.pth"),
        (nested_pickle, "does not map names to tensors"),
    ],
)
async def test_a_checkpoint_that_cannot_be_used_is_refused_with_the_reason(
    trainer: Trainer, damage: Callable[[Path], object], problem: str
) -> None:
    damage(write_tiny_checkpoint_of(trainer.files / "models" / "bought", "hubert"))
    failure = await trainer.refusal("models/bought")
    assert failure.reason is Reason.INVALID_CHECKPOINT
    assert "bought' cannot be used" in failure.message
    assert problem.replace("\\", "") in failure.message


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("nowhere", Reason.FILE_NOT_FOUND),
        ("models", Reason.FILE_NOT_FOUND),
        ("models/bought/config.json", Reason.INVALID_CHECKPOINT),
        ("../outside", Reason.PATH_OUTSIDE_WORKSPACE),
        ("/etc", Reason.PATH_OUTSIDE_WORKSPACE),
    ],
)
async def test_a_path_that_names_no_checkpoint_is_refused(
    trainer: Trainer, path: str, reason: Reason
) -> None:
    write_tiny_checkpoint_of(trainer.files / "models" / "bought", "hubert")
    assert (await trainer.refusal(path)).reason is reason


async def test_a_caller_who_leaves_leaves_nothing_behind(trainer: Trainer) -> None:
    write_tiny_checkpoint_of(trainer.files / "bought", "hubert")
    call = asyncio.create_task(trainer.upload("bought"))
    await eventually(lambda: bool(list(trainer.scratch.glob("*/worker.log"))))
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await eventually(lambda: not list(trainer.scratch.iterdir()))
    assert "mine" not in trainer.storage.models
    assert not [file for file in trainer.stored.rglob("*") if file.is_file()]
