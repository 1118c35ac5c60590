"""UPLOAD MODEL: a checkpoint of the workspace becomes a model, once it has been run."""

import pyarrow as pa

from services.gateway.core.building import check_free
from services.gateway.core.events import Progress
from services.gateway.core.places import placed_at
from services.gateway.core.plans import UploadModel
from services.gateway.core.ports import UploadRequest
from services.gateway.core.records import ModelVersion
from services.gateway.core.run import Run

_STAGE = "checking the checkpoint"
_COUNTS = ("parameters", "labels", "sample_rate_hz")
_CARD = pa.schema(
    [
        ("model", pa.string()),
        ("version", pa.int64()),
        ("architecture", pa.string()),
        *((name, pa.int64()) for name in _COUNTS),
        ("size_bytes", pa.int64()),
        ("seconds", pa.float64()),
    ]
)


async def run_upload(run: Run, statement: UploadModel) -> None:
    """Check, store and register; answer one row about the model made."""
    begun_s = run.clock()
    await check_free(run, statement.model, overwrite=statement.overwrite)
    await run.emit(Progress(stage=_STAGE, done=0, unit="bytes"))
    model = await _upload(run, statement, explain_only=False)
    size_bytes = model.size_bytes
    await run.emit(Progress(stage=_STAGE, done=size_bytes, unit="bytes", total=size_bytes))
    row = {
        "model": model.name,
        "version": model.version,
        "architecture": model.properties.get("architecture"),
        **{name: int(model.properties[name]) for name in _COUNTS if name in model.properties},
        "size_bytes": size_bytes,
        "seconds": round(run.clock() - begun_s, 3),
    }
    await run.answer_table(pa.Table.from_pylist([row], schema=_CARD))
    run.outcome.model = model
    run.outcome.message = f"model '{model.name}' version {model.version} made from '{statement.source.text}'"


async def upload_steps(run: Run, statement: UploadModel) -> list[str]:
    """What an upload would do; the weights are not read."""
    await check_free(run, statement.model, overwrite=statement.overwrite)
    model = await _upload(run, statement, explain_only=True)
    architecture, labels = (model.properties.get(name, "") for name in ("architecture", "labels"))
    return [
        f"copy the checkpoint '{statement.source.text}' of {model.size_bytes:,} bytes, "
        f"whose configuration says {architecture} with {labels} labels",
        "read its weights, and run it on noise",
        f"register it as the active version of model '{statement.model.text}'",
    ]


async def _upload(run: Run, statement: UploadModel, *, explain_only: bool) -> ModelVersion:
    request = UploadRequest(
        request_id=run.request_id,
        model=statement.model.text,
        path=statement.source.text,
        overwrite=statement.overwrite,
        statement=run.plan.canonical_text,
        explain_only=explain_only,
    )
    with placed_at(statement.source.span):
        return await run.peers.trainer.upload(request)
